using System.Buffers.Binary;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Vdi;

/// <summary>Differencing VDI files over the parents that the caller names, each found by its id.</summary>
public sealed class VdiParentTests : IDisposable
{
    private const int Block = 4096;
    private const int Blocks = 4;
    private const uint Free = uint.MaxValue;

    private static readonly DiskFormat Vdi = DiskFormats.Get("vdi");

    private readonly TempFolder _folder = new();

    public VdiParentTests()
    {
        Write("base.vdi", 1, 1, null, [0, 1, 2, Free]);
        Write("middle.vdi", 2, 4, 1, [Free, 0, Free, Free]);
        Write("top.vdi", 3, 4, 2, [Free, Free, 0, Free]);
        Write("other.vdi", 9, 1, null, [0, Free, Free, Free]);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("base.vdi", "middle.vdi")]
    [InlineData("top.vdi", "other.vdi", "middle.vdi", "base.vdi")]
    public void Chain_is_put_together_by_ids(params string[] parents)
    {
        using VirtualDisk disk = Vdi.Open(_folder.File("top.vdi"), Over(parents));
        byte[] content = new byte[Blocks * Block];
        disk.Read(0, content);
        Assert.Equal([1, 2, 3, 0], Enumerable.Range(0, Blocks).Select(block => content[block * Block]));
        Assert.True(disk.ReadsFrom(_folder.File("base.vdi")));
        Assert.False(disk.ReadsFrom(_folder.File("other.vdi")));
        Assert.Equal([2, 1, 0, 2], disk.GetExtents().Select(extent => extent.Depth));

        Qcow2ImageInfo[] chain = [.. Vdi.ReadChain(_folder.File("top.vdi"), Over(parents))];
        Assert.Equal(["top.vdi", "middle.vdi", "base.vdi"], chain.Select(info => Path.GetFileName(info.Path)));
        Assert.Equal([_folder.File("middle.vdi"), _folder.File("base.vdi"), null], chain.Select(info => info.ParentPath));
    }

    [Fact]
    public void Parent_that_nobody_names_is_an_error_and_no_zeros()
    {
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("top.vdi")));
        Assert.Equal(Qcow2ErrorCode.ParentNotNamed, error.Code);
        Assert.Contains(Id(2).ToString(), error.Message, StringComparison.Ordinal);

        // The error of what is missing further down names the file that misses it.
        error = Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("top.vdi"), Over("middle.vdi", "other.vdi")));
        Assert.Equal((Qcow2ErrorCode.ParentNotNamed, _folder.File("middle.vdi")), (error.Code, error.Path));
        Assert.Contains($"other.vdi' has the id {Id(9)}", error.Message, StringComparison.Ordinal);

        var seen = new List<Qcow2ImageInfo>();
        Assert.Throws<Qcow2Exception>(() =>
        {
            foreach (Qcow2ImageInfo info in Vdi.ReadChain(_folder.File("top.vdi")))
            {
                seen.Add(info);
            }
        });
        Assert.Contains(Id(2).ToString(), Assert.Single(seen).BackingFileProblem!, StringComparison.Ordinal);

        using VirtualDisk alone = Vdi.Open(_folder.File("top.vdi"), new Qcow2OpenOptions { WithoutBacking = true });
        alone.Read(2 * Block, new byte[1]);
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => alone.Read(0, new byte[1])).Code);
    }

    [Fact]
    public void Parent_that_was_written_to_since_is_refused_unless_a_copy_was_not()
    {
        File.Copy(_folder.File("base.vdi"), _folder.File("copy.vdi"));
        Patch("base.vdi", 408, 77);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("middle.vdi"), Over("base.vdi")));
        Assert.Equal(Qcow2ErrorCode.BackingFileMismatch, error.Code);
        Assert.Contains("was changed after", error.Message, StringComparison.Ordinal);
        using VirtualDisk disk = Vdi.Open(_folder.File("middle.vdi"), Over("base.vdi", "copy.vdi"));
        Assert.Equal(_folder.File("copy.vdi"), disk.Backing!.Path);
    }

    [Fact]
    public void What_is_no_disk_among_the_files_is_passed_over_and_named()
    {
        File.WriteAllText(_folder.File("notes.vdi"), "notes");
        using (Vdi.Open(_folder.File("middle.vdi"), Over("notes.vdi", "base.vdi")))
        {
        }

        Assert.Contains("notes.vdi' cannot be used", Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("middle.vdi"), Over("notes.vdi"))).Message, StringComparison.Ordinal);
        Assert.Equal(
            Qcow2ErrorCode.BackingFileUnavailable, Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("middle.vdi"), Over("missing.vdi"))).Code);
    }

    [Fact]
    public void Loop_ends()
    {
        Write("base.vdi", 1, 4, 3, [Free, Free, Free, Free]);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("top.vdi"), Over("base.vdi", "middle.vdi", "top.vdi"))).Code);
        Write("self.vdi", 5, 4, 5, [Free, Free, Free, Free]);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("self.vdi"), Over("self.vdi"))).Code);
    }

    [Fact]
    public void Differencing_disk_that_records_no_parent_is_read_for_salvage_only()
    {
        Write("orphan.vdi", 6, 4, null, [0, Free, Free, Free]);
        Assert.Contains("records no parent", Assert.Throws<Qcow2Exception>(() => Vdi.Open(_folder.File("orphan.vdi"))).Message, StringComparison.Ordinal);
        var problems = new List<string>();
        using VirtualDisk disk = Vdi.Open(_folder.File("orphan.vdi"), new Qcow2OpenOptions { Salvage = true, OnProblem = problems.Add });
        Assert.Contains("read as zeros", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Overlay_of_a_differencing_disk_is_read_over_the_named_parents()
    {
        File.Copy(_folder.File("base.vdi"), _folder.File("lower.vdi"));
        Qcow2Image.CreateFile(_folder.File("over.qcow2"), Blocks * Block, new Qcow2CreateOptions { BackingFile = "lower.vdi", BackingFormat = "vdi" });
        File.Copy(_folder.File("middle.vdi"), _folder.File("lower.vdi"), overwrite: true);
        using VirtualDisk disk = DiskFormats.Get("qcow2").Open(_folder.File("over.qcow2"), Over("base.vdi"));
        byte[] content = new byte[Blocks * Block];
        disk.Read(0, content);
        Assert.Equal([1, 2, 1, 0], Enumerable.Range(0, Blocks).Select(block => content[block * Block]));
    }

    [Fact]
    public void Check_looks_at_the_named_parent()
    {
        Qcow2CheckResult Check(params string[] parents) => Vdi.Check(_folder.File("middle.vdi"), new Qcow2CheckOptions { ParentPaths = Paths(parents) });
        Assert.Equal(Qcow2CheckFindingKind.ParentUnavailable, Assert.Single(Check().Findings, finding => finding.Severity > Qcow2CheckSeverity.Information).Kind);
        Assert.DoesNotContain(Check("base.vdi").Findings, finding => finding.Severity > Qcow2CheckSeverity.Information);
        Assert.Equal(Qcow2CheckFindingKind.ParentUnavailable, Assert.Single(Check("other.vdi").Findings, finding => finding.Severity > Qcow2CheckSeverity.Information).Kind);
        Patch("base.vdi", 408, 77);
        Assert.Equal(Qcow2CheckFindingKind.ParentMismatch, Assert.Single(Check("base.vdi").Findings, finding => finding.Severity > Qcow2CheckSeverity.Information).Kind);
    }

    private static Guid Id(int number) => new(number, 0, 0, new byte[8]);

    private string[] Paths(string[] names) => [.. names.Select(_folder.File)];

    private Qcow2OpenOptions Over(params string[] parents) => new() { ParentPaths = Paths(parents) };

    private void Patch(string name, int at, byte value)
    {
        byte[] bytes = File.ReadAllBytes(_folder.File(name));
        bytes[at] = value;
        File.WriteAllBytes(_folder.File(name), bytes);
    }

    /// <summary>A file whose blocks of 4 KiB are filled with its own number.</summary>
    private void Write(string name, int number, int type, int? parent, uint[] map)
    {
        byte[] file = new byte[8192 + (map.Count(entry => entry != Free) * Block)];
        file.AsSpan(8192).Fill((byte)number);
        foreach ((int at, uint value) in new[]
            {
                (64, 0xbeda_107fU), (68, 0x0001_0001U), (72, 0x190U), (76, (uint)type), (340, 4096U), (344, 8192U), (360, 512U), (368, (uint)(Blocks * Block)), (376, (uint)Block), (384, (uint)Blocks),
                (388, (uint)map.Count(entry => entry != Free)),
            })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        }

        for (int i = 0; i < map.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(4096 + (i * 4)), map[i]);
        }

        Id(number).ToByteArray().CopyTo(file, 392);
        Id(number + 100).ToByteArray().CopyTo(file, 408);
        if (parent is int below)
        {
            Id(below).ToByteArray().CopyTo(file, 424);
            Id(below + 100).ToByteArray().CopyTo(file, 440);
        }

        File.WriteAllBytes(_folder.File(name), file);
    }
}
