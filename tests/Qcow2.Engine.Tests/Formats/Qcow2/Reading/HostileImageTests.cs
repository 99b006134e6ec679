using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Each hostile image is found out when the table says, with the code and a message that names the fault.</summary>
public sealed class HostileImageTests
{
    public static TheoryData<string> FoundOut => HostileImageCases.Select(hostile => hostile.Stage != HostileStage.Never);

    public static TheoryData<string> Harmless => HostileImageCases.Select(hostile => hostile.Stage == HostileStage.Never);

    [Theory]
    [MemberData(nameof(FoundOut))]
    public void Fault_is_found_out(string name)
    {
        HostileImageCase hostile = HostileImageCases.Get(name);
        using TempFolder folder = Lay(hostile, out string path);
        if (hostile.Stage is HostileStage.Bitmaps or HostileStage.Snapshot)
        {
            ReadDisk(hostile, path);
        }

        var error = Assert.ThrowsAny<Qcow2Exception>(() =>
        {
            using Qcow2Image image = Open(hostile, path);
            Assert.True(hostile.Stage != HostileStage.Open, "The image opened.");
            Use(hostile, image);
        });

        Assert.True(hostile.Code == error.Code, $"{error.Code}: {error.Message}");
        Assert.All(hostile.Fragments, fragment => Assert.Contains(fragment, error.Message, StringComparison.OrdinalIgnoreCase));
        Assert.NotNull(error.Path);
    }

    [Theory]
    [MemberData(nameof(FoundOut))]
    public void Every_way_in_ends_in_an_answer_or_a_clear_error(string name)
    {
        HostileImageCase hostile = HostileImageCases.Get(name);
        using TempFolder folder = Lay(hostile, out string path);

        AnswersOrRefuses(() => Qcow2ImageInfo.Read(path));
        AnswersOrRefuses(() => Qcow2ImageInfo.ReadChain(path).Count());
        AnswersOrRefuses(() =>
        {
            using Qcow2Image image = Open(hostile, path);
            return image.GetExtents().Take(10_000).Count();
        });
    }

    [Theory]
    [MemberData(nameof(Harmless))]
    public void Oddity_does_no_harm(string name)
    {
        HostileImageCase hostile = HostileImageCases.Get(name);
        using TempFolder folder = Lay(hostile, out string path);
        ReadDisk(hostile, path);
    }

    /// <summary>The active disk is whole, whatever is wrong with the rest.</summary>
    private static void ReadDisk(HostileImageCase hostile, string path)
    {
        using Qcow2Image image = Open(hostile, path);
        byte[] sector = new byte[512];
        if (image.Length == 0)
        {
            Assert.Equal(0, image.Read(0, sector));
            return;
        }

        int read = image.Read(hostile.ReadOffset, sector);

        Assert.Equal((int)Math.Clamp(image.Length - hostile.ReadOffset, 0, 512), read);
        if (hostile.Sector is not null)
        {
            Assert.Equal(hostile.Sector, sector);
        }
    }

    private static void Use(HostileImageCase hostile, Qcow2Image image)
    {
        switch (hostile.Stage)
        {
            case HostileStage.Bitmaps:
                _ = image.Bitmaps;
                break;
            case HostileStage.Snapshot:
                image.OpenSnapshot(image.FindSnapshot(hostile.SnapshotId!)).Dispose();
                break;
            case HostileStage.Read:
                image.Read(hostile.ReadOffset, new byte[512]);
                break;
        }
    }

    private static void AnswersOrRefuses<T>(Func<T> use)
    {
        Exception? error = Record.Exception(() => { _ = use(); });
        Assert.True(error is null or Qcow2Exception, error?.ToString());
    }

    private static Qcow2Image Open(HostileImageCase hostile, string path)
    {
        using Passphrase? passphrase = hostile.Passphrase is null ? null : Passphrase.FromString(hostile.Passphrase);
        return Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = passphrase });
    }

    private static TempFolder Lay(HostileImageCase hostile, out string path)
    {
        var folder = new TempFolder();
        path = folder.Write("image.qcow2", hostile.Build());
        foreach ((string file, byte[] content) in hostile.Files)
        {
            folder.Write(file, content);
        }

        return folder;
    }
}
