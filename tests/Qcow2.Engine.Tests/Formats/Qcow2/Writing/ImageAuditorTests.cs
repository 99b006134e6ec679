using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>The judge of the crash tests judges as qemu-img does.</summary>
public sealed class ImageAuditorTests
{
    public static TheoryData<string> Checked => Fixtures.Select(
        fixture => fixture.Error is null && fixture.ReferenceError is null && fixture.HasMap && fixture.Name != "sparse-1t");

    [QemuTheory, MemberData(nameof(Checked))]
    public void Fixture_is_judged_as_by_qemu_img(string name)
    {
        using var folder = new TempFolder();
        Fixture fixture = Fixtures.Get(name);
        string path = fixture.CopyTo(folder);

        ImageAuditor audit = ImageAuditor.Audit(File.ReadAllBytes(path));
        (int corruptions, int leaks, string output) = QemuJudge.Check(path, fixture.Passphrase);

        Assert.True(corruptions == audit.Corruptions.Count, output + string.Join('\n', audit.Corruptions));
        Assert.Equal(leaks, audit.Leaks);
    }

    [Theory]
    [InlineData("count")]
    [InlineData("copied")]
    [InlineData("twice")]
    [InlineData("past-end")]
    public void Damage_is_seen(string kind)
    {
        using var storage = new MemoryStorage([]);
        using (Qcow2Image image = Qcow2Image.Create(storage, 1 << 20, new Qcow2CreateOptions { ClusterSize = 4096 }))
        {
            image.Write(0, new byte[20_000]);
        }

        byte[] file = storage.Content;
        Assert.Empty(ImageAuditor.Audit(file).Corruptions);
        int l1 = U64(file, 40);
        int l2 = U64(file, l1);
        int block = U64(file, U64(file, 48));
        switch (kind)
        {
            case "count":
                file[block + (2 * (U64(file, l2) >> 12)) + 1] = 0;
                break;
            case "copied":
                file[l2] ^= 0x80;
                break;
            case "twice":
                file.AsSpan(l2, 8).CopyTo(file.AsSpan(l2 + 8));
                break;
            default:
                file[l2 + 2] = 1;
                break;
        }

        Assert.NotEmpty(ImageAuditor.Audit(file).Corruptions);
    }

    private static int U64(byte[] file, int at)
        => (int)(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(at)) & 0x00ff_ffff_ffff_fe00);
}
