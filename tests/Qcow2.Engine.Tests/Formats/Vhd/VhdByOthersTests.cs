using Qcow2.Engine.Formats.Vhd;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vhd;

/// <summary>Beside other readers: qemu-img, where it is right; libvhdi (Debian's package python3-libvhdi) and 7-Zip (7zip), which honour bitmaps and parents.</summary>
public sealed class VhdByOthersTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [QemuTheory]
    [InlineData("dynamic", "on")]
    [InlineData("dynamic", "off")]
    [InlineData("fixed", "on")]
    [InlineData("fixed", "off")]
    public void What_qemu_img_writes_is_read(string subformat, string exact)
    {
        byte[] content = new byte[11 << 20];
        new Random(3).NextBytes(content.AsSpan(1 << 20, 3 << 20));
        content[^1] = 9;
        string raw = _folder.Write("source.raw", content);
        string path = _folder.File("disk.vhd");
        QemuImg.Run("convert", "-f", "raw", "-O", "vpc", "-o", $"subformat={subformat},force_size={exact}", raw, path);
        string back = _folder.File("back.raw");
        QemuImg.Run("convert", "-f", "vpc", "-O", "raw", path, back);

        using LocalFile file = LocalFile.OpenRead(path);
        Assert.Equal(VhdLikeness.Footer, VhdProbe.Look(file));
        using VhdDisk disk = VhdDisk.Open(file, VhdStructure.Read(file, isSaid: false, isSalvage: false));
        Assert.Empty(disk.Structure.Problems);
        byte[] ours = VhdImages.ReadAll(disk);
        Assert.True(File.ReadAllBytes(back).AsSpan().SequenceEqual(ours));
        Assert.True(content.AsSpan().SequenceEqual(ours.AsSpan(0, content.Length)));
        Assert.Equal(exact == "on", ours.Length == content.Length);
    }

    /// <summary>
    /// Two faults of libvhdi (20210425) are gone around: bits that differ inside a byte it takes for set from the first that is, and what follows
    /// on a part that the parent has it reads from there, too, to the end of the buffer.
    /// </summary>
    [LibvhdiFact]
    public void Libvhdi_reads_random_disks_as_we_do()
    {
        int seed = TestRounds.Seed("libvhdi");
        int compared = 0;
        for (int i = 0; compared < TestRounds.Times(12); i++)
        {
            var model = new RandomVhd(seed + i, isWholeBytes: true);
            if (model.Builder.BlockSize < 4096 || model.Builder.IsFooterShort || (model.IsDifferencing && model.ParentContent.Length < model.Content.Length))
            {
                continue; // What libvhdi does not know.
            }

            compared++;
            string raw = _folder.File($"{i}.raw");
            (string child, string parent) = Write(model);
            Libvhdi.ReadAll($"QCOW2_TEST_SEED={seed + i}", child, raw, model.IsDifferencing ? parent : null, chunk: 4096);
            AssertSame(model, raw, seed + i);
        }
    }

    /// <summary>Of a disk without a parent 7-Zip calls a bit that is not set an error.</summary>
    [ToolTheory("7zz")]
    [InlineData(0)]
    [InlineData(1000)]
    public void SevenZip_reads_random_differencing_disks_as_we_do(int start)
    {
        int seed = TestRounds.Seed("7zz vhd") + start;
        int compared = 0;
        for (int i = 0; compared < TestRounds.Times(6); i++)
        {
            var model = new RandomVhd(seed + i);
            if (!model.IsDifferencing || model.Builder.BlockSize < 4096 || model.Builder.SpareEntries > 0 || model.Builder.IsFooterShort || model.ParentContent.Length < model.Content.Length)
            {
                continue;
            }

            compared++;
            (string child, _) = Write(model);
            string output = Path.Combine(_folder.Path, $"out{i}");
            Shell.Run("7zz", "x", "-y", "-tvhd", $"-o{output}", child);
            AssertSame(model, Assert.Single(Directory.GetFiles(output)), seed + i);
        }
    }

    private (string Child, string Parent) Write(RandomVhd model)
    {
        var parent = new VhdBuilder { DiskType = 2, Size = model.Content.Length, Content = model.ParentContent, UniqueId = model.Builder.ParentId };
        return (_folder.Write("child.vhd", model.Builder.Build()), _folder.Write("parent.vhd", parent.Build()));
    }

    private static void AssertSame(RandomVhd model, string raw, int seed)
    {
        byte[] theirs = File.ReadAllBytes(raw);
        Assert.True(
            model.Content.AsSpan().SequenceEqual(theirs),
            $"QCOW2_TEST_SEED={seed}: {theirs.Length} of {model.Content.Length} bytes, which differ at {model.Content.AsSpan().CommonPrefixLength(theirs)}.");
    }
}
