using Qcow2.Engine.Storage;
using static Qcow2.Engine.Storage.FileSameness;

namespace Qcow2.Engine.Tests;

/// <summary>Whether two files are one, by what Windows, Linux and macOS say of them.</summary>
public sealed class FileIdentityTests
{
    private const string VolumeA = @"\\?\Volume{aaaaaaaa-0000-0000-0000-000000000000}\";
    private const string VolumeB = @"\\?\Volume{bbbbbbbb-0000-0000-0000-000000000000}\";

    private static readonly WindowsFileId One = new(true, 0x1111, 0, 42);

    public static TheoryData<string, FileSameness> Pairs
    {
        get
        {
            var data = new TheoryData<string, FileSameness>();
            foreach ((string name, FileSameness expected, _, _) in Table)
            {
                data.Add(name, expected);
            }

            return data;
        }
    }

    private static IEnumerable<(string Name, FileSameness Expected, WindowsFileFacts One, WindowsFileFacts Other)> Table =>
    [
        ("one file by one name", Same, new(One, VolumeA + "a"), new(One, VolumeA + "a")),
        ("one file by two hard links", Same, new(One, VolumeA + "a"), new(One, VolumeA + "b")),
        ("another file of the volume", Different, new(One, VolumeA + "a"), new(One with { Low = 43 }, VolumeA + "b")),
        ("ReFS: the upper half differs", Different, new(One with { High = 1 }, VolumeA + "a"), new(One with { High = 2 }, VolumeA + "b")),
        ("the same record number on two volumes", Different, new(One, VolumeA + "a"), new(One with { Volume = 0x2222 }, VolumeB + "a")),
        ("volumes whose serial numbers share their lower half", Different, new(One, VolumeA + "a"), new(One with { Volume = 0x1_0000_1111 }, VolumeB + "a")),
        ("a volume and its copy, both mounted", Unknown, new(One, VolumeA + "a"), new(One, VolumeB + "a")),
        ("the same path, where another file came meanwhile", Different, new(One, VolumeA + "a"), new(One with { Low = 43 }, VolumeA + "a")),
        ("volume names in other letters", Same, new(One, VolumeA + "a"), new(One, VolumeA.ToUpperInvariant().Replace("VOLUME", "Volume", StringComparison.Ordinal) + "a")),
        ("old ids, equal", Same, new(Narrow(7, 42), VolumeA + "a"), new(Narrow(7, 42), VolumeA + "a")),
        ("old ids, the file differs", Different, new(Narrow(7, 42), VolumeA + "a"), new(Narrow(7, 43), VolumeA + "b")),
        ("old ids, the volume differs", Different, new(Narrow(7, 42), VolumeA + "a"), new(Narrow(8, 42), VolumeB + "a")),
        ("an old id beside a new one", Unknown, new(Narrow(7, 42), VolumeA + "a"), new(One, VolumeB + "a")),
        ("an old id beside a new one, one path", Same, new(Narrow(7, 42), VolumeA + "a"), new(One, VolumeA + "a")),
        ("volume id 0, one path", Same, new(One with { Volume = 0 }, VolumeA + "a"), new(One with { Volume = 0 }, VolumeA + "a")),
        ("volume id 0, two paths", Unknown, new(One with { Volume = 0 }, VolumeA + "a"), new(One with { Volume = 0 }, VolumeA + "b")),
        ("volume id 0 beside another", Unknown, new(One with { Volume = 0 }, VolumeA + "a"), new(One, VolumeB + "a")),
        ("file id 0", Unknown, new(One with { Low = 0 }, VolumeA + "a"), new(One with { Low = 0 }, VolumeA + "b")),
        ("file id of all ones", Unknown, new(One with { High = ulong.MaxValue, Low = ulong.MaxValue }, VolumeA + "a"), new(One with { High = ulong.MaxValue, Low = ulong.MaxValue }, VolumeA + "b")),
        ("old file id of all ones, as ReFS says it", Unknown, new(Narrow(7, ulong.MaxValue), VolumeA + "a"), new(Narrow(7, ulong.MaxValue), VolumeA + "b")),
        ("a share, one path", Same, new(One, @"\\?\UNC\server\share\a"), new(One, @"\\?\UNC\server\share\a")),
        ("a share, equal numbers by two names of the server", Unknown, new(One, @"\\?\UNC\server\share\a"), new(One, @"\\?\UNC\10.0.0.1\share\a")),
        ("two shares of equal numbers", Unknown, new(One, @"\\?\UNC\one\share\a"), new(One, @"\\?\UNC\two\share\a")),
        ("a share, numbers that differ for one path", Same, new(One, @"\\?\UNC\server\share\a"), new(One with { Low = 43 }, @"\\?\UNC\server\share\a")),
        ("a share, two files", Unknown, new(One, @"\\?\UNC\server\share\a"), new(One with { Low = 43 }, @"\\?\UNC\server\share\b")),
        ("a share and the folder behind it", Unknown, new(One, @"\\?\UNC\server\share\a"), new(One, VolumeA + "a")),
        ("no numbers, one path", Same, new(null, VolumeA + "a"), new(null, VolumeA + "a")),
        ("no numbers, paths in other letters", Unknown, new(null, VolumeA + "a"), new(null, VolumeA + "A")),
        ("no numbers and no path", Unknown, new(null, null), new(null, null)),
        ("equal numbers and no path", Unknown, new(One, null), new(One, null)),
        ("other numbers and no path", Different, new(One, null), new(One with { Low = 43 }, null)),
        ("equal numbers, one path by drive letter", Same, new(One, @"\\?\C:\a"), new(One, @"\\?\C:\a")),
        ("equal numbers, two paths by drive letters", Unknown, new(One, @"\\?\C:\a"), new(One, @"\\?\D:\a")),
    ];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Windows(string name, FileSameness expected)
    {
        (_, _, WindowsFileFacts one, WindowsFileFacts other) = Table.Single(pair => pair.Name == name);
        Assert.Equal(expected, new FileIdentity(one).SamenessTo(new FileIdentity(other)));
        Assert.Equal(expected, new FileIdentity(other).SamenessTo(new FileIdentity(one)));
        Assert.Equal(expected == Same, new FileIdentity(one).IsProvenSameAs(new FileIdentity(other)));
    }

    [Theory]
    [InlineData(1, 2, 1, 2, Same)]
    [InlineData(1, 2, 1, 3, Different)]
    [InlineData(1, 2, 3, 2, Different)]
    public void Unix(ulong device, ulong file, ulong otherDevice, ulong otherFile, FileSameness expected)
        => Assert.Equal(expected, new FileIdentity(device, file).SamenessTo(new FileIdentity(otherDevice, otherFile)));

    [Fact]
    public void Links_lead_to_the_same_file_and_copies_to_another()
    {
        using var folder = new Qcow2.Tests.TempFolder();
        string path = folder.File("one");
        File.WriteAllText(path, "1");
        File.Copy(path, folder.File("two"));
        File.CreateSymbolicLink(folder.File("link"), path);
        FileIdentity one = LocalFile.TryIdentify(path)!.Value;
        Assert.True(one.IsProvenSameAs(LocalFile.TryIdentify(folder.File("link"))!.Value));
        Assert.Equal(Different, one.SamenessTo(LocalFile.TryIdentify(folder.File("two"))!.Value));
    }

    [Fact]
    public void What_is_not_known_to_be_one_file_is_read_and_refused_nowhere()
    {
        var unknown = new FileIdentity(new WindowsFileFacts(null, null));
        byte[] content = new byte[64 * 1024];
        content[5000] = 1;
        using RawDisk one = RawDisk.Open(new MemoryStorage(content) { SaidIdentity = unknown });
        using RawDisk other = RawDisk.Open(new MemoryStorage(new byte[64 * 1024]) { SaidIdentity = unknown });
        Assert.False(DiskComparer.Compare(one, other).AreEqual);
    }

    [Fact]
    public void What_is_proven_to_be_one_file_is_not_read()
    {
        var known = new FileIdentity(new WindowsFileFacts(One, VolumeA + "a"));
        byte[] content = new byte[64 * 1024];
        content[5000] = 1;
        using RawDisk one = RawDisk.Open(new MemoryStorage(content) { SaidIdentity = known });
        using RawDisk other = RawDisk.Open(new MemoryStorage(new byte[64 * 1024]) { SaidIdentity = known });
        Assert.True(DiskComparer.Compare(one, other).AreEqual);
    }

    private static WindowsFileId Narrow(ulong volume, ulong file) => new(false, volume, 0, file);
}
