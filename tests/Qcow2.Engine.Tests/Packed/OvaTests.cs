using System.Text;
using Qcow2.Engine.Packed.Archive;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>OVA files that tar and qemu-img made, and archives that mean no good.</summary>
public sealed class OvaTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact("tar", "qemu-img")]
    public void Disks_are_read_where_they_lie()
    {
        byte[] content = PackedSamples.Content(3 << 20, 1);
        _folder.Write("one.raw", content);
        Shell.Run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", _folder.File("one.raw"), _folder.File("one.vmdk"));
        _folder.Write("two.raw", new byte[1 << 20]);
        Shell.Run("qemu-img", "convert", "-O", "vmdk", _folder.File("two.raw"), _folder.File("two.vmdk"));
        _folder.Write("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("one.vmdk", "two.vmdk")));
        foreach (string format in (string[])["ustar", "gnu", "posix", "v7"])
        {
            string path = _folder.File($"{format}.ova");
            Shell.Run("tar", $"--format={format}", "-C", _folder.Path, "-cf", path, "box.ovf", "one.vmdk", "two.vmdk");
            using LocalFile file = LocalFile.OpenRead(path);
            if (format == "v7")
            {
                Assert.Null(PackedFile.Recognize(file, path)); // It has no mark.
                continue;
            }

            PackedFile ova = PackedFile.Recognize(file, path)!;
            Assert.Equal("ova", ova.Kind);
            Assert.Equal(["one.vmdk", "two.vmdk"], ova.ReadDisks(file).Select(disk => disk.Name));
            Assert.Equal(Qcow2ErrorCode.DiskNotSpecified, Assert.Throws<Qcow2Exception>(() => ova.FindDisk(file, null)).Code);
            Assert.Equal(Qcow2ErrorCode.DiskNotSpecified, Assert.Throws<Qcow2Exception>(() => ova.FindDisk(file, "three.vmdk")).Code);
            PackedDisk one = ova.FindDisk(file, "ONE.vmdk");
            Assert.Equal("vmdk", one.Recognize(file).Format!.Name);
            using VirtualDisk disk = one.Recognize(file).Format!.Open(one.OpenInArchive(file), Qcow2OpenOptions.Default with { References = ReferencePolicy.Forbid });
            byte[] found = new byte[content.Length];
            disk.Read(0, found);
            Assert.Equal(content, found);
        }
    }

    [LinuxFact("tar")]
    public void Long_names_and_large_numbers_are_read()
    {
        const long large = (8L << 30) + 5;
        string name = string.Concat(Enumerable.Repeat("long-name-", 20));
        _folder.Write($"in/{name}", [1, 2, 3]);
        using (FileStream file = File.Create(_folder.File("in/large")))
        {
            file.SetLength(large);
        }

        foreach ((string format, int header) in ((string, int)[])[("gnu", 512), ("posix", 3 * 512)])
        {
            // Of the large file tar writes the header, and a hole is the rest.
            string path = _folder.File($"{format}.tar");
            Shell.Run("sh", "-c", $"cd '{_folder.File("in")}' && tar --format={format} -cf - large 2>/dev/null | head -c {header} > '{path}'; tar --format={format} -cf ../rest {name}");
            using (FileStream archive = File.Open(path, FileMode.Open))
            {
                Assert.Equal(header, archive.Length);
                archive.SetLength(header + ((large + 511) / 512 * 512));
                archive.Position = archive.Length;
                archive.Write(File.ReadAllBytes(_folder.File("rest")));
            }

            using LocalFile storage = LocalFile.OpenRead(path);
            IReadOnlyList<TarEntry> entries = TarArchive.Read(storage);
            Assert.Equal(["large", name], entries.Select(entry => entry.Name));
            Assert.Equal([large, 3], entries.Select(entry => entry.Length));
            byte[] found = new byte[3];
            storage.Read(entries[1].Offset, found);
            Assert.Equal([1, 2, 3], found);
        }
    }

    [LinuxFact("tar")]
    public void Files_with_holes_in_the_archive_are_refused()
    {
        using (FileStream sparse = File.Create(_folder.File("disk.vmdk")))
        {
            sparse.SetLength(1 << 20);
            sparse.Position = 500_000;
            sparse.WriteByte(1);
        }

        _folder.Write("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk.vmdk")));
        foreach (string format in (string[])["gnu", "posix"])
        {
            string path = _folder.File($"{format}.ova");
            Shell.Run("tar", $"--format={format}", "-S", "-C", _folder.Path, "-cf", path, "box.ovf", "disk.vmdk");
            using LocalFile file = LocalFile.OpenRead(path);
            IReadOnlyList<PackedDisk> disks = PackedFile.Recognize(file, path)!.ReadDisks(file);
            Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => disks[0].OpenInArchive(file));
            Assert.True(error.Message.Contains("holes", StringComparison.Ordinal) || error.Message.Contains("not in the archive", StringComparison.Ordinal), error.Message);
        }
    }

    [Fact]
    public void An_archive_that_is_cut_off_or_lies_is_an_error()
    {
        byte[] whole = OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk.vmdk"))), ("disk.vmdk", new byte[3000]));
        Assert.Single(OvaArchive.ReadDisks(new MemoryStorage(whole)));
        int end = whole.Length - 1024;
        for (int length = 0; length < end; length += 97)
        {
            // Cut between two files, the archive is whole, but the disk is not in it.
            Assert.ThrowsAny<Qcow2Exception>(() => new PackedDisk("ova", "d", null, OvaArchive.ReadDisks(new MemoryStorage(whole.AsSpan(0, length).ToArray()))[0]).OpenInArchive(new MemoryStorage(whole)));
        }

        foreach ((int at, string size) in ((int, string)[])[(124, "77777777777"), (124, "-0000000001"), (124, "99999999999"), (124, "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff"), (124, "\u0080\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f\u007f")])
        {
            byte[] lie = (byte[])whole.Clone();
            for (int i = 0; i < size.Length; i++)
            {
                lie[at + i] = (byte)size[i];
            }

            OvaSamples.SetSum(lie);
            Assert.Throws<Qcow2Exception>(() => OvaArchive.ReadDisks(new MemoryStorage(lie)));
        }
    }

    [Fact]
    public void A_descriptor_names_nothing_but_files_of_the_archive()
    {
        // Names that lead elsewhere are names of no file here: nothing is opened by them.
        foreach (string name in (string[])["../../etc/passwd", "/etc/passwd", "http://example.org/disk.vmdk", "box.ovf/../disk.vmdk"])
        {
            var archive = new MemoryStorage(OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor(name))), ("disk.vmdk", new byte[100])));
            TarEntry entry = Assert.Single(OvaArchive.ReadDisks(archive));
            Assert.Contains("not in the archive", Assert.Throws<Qcow2Exception>(() => new PackedDisk("ova", name, null, entry).OpenInArchive(archive)).Message, StringComparison.Ordinal);
        }

        foreach (string text in (string[])["<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><Envelope>&e;</Envelope>", "<Envelope>", "no xml", ""])
        {
            var archive = new MemoryStorage(OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(text))));
            Assert.Equal(Qcow2ErrorCode.PackedFileCorrupt, Assert.Throws<Qcow2Exception>(() => OvaArchive.ReadDisks(archive)).Code);
        }

        Assert.Throws<Qcow2Exception>(() => OvaArchive.ReadDisks(new MemoryStorage(OvaSamples.Tar(("disk.vmdk", new byte[10])))));
        TarEntry twice = OvaArchive.ReadDisks(new MemoryStorage(OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("d"))), ("d", [1]), ("./d", [2]))))[0];
        Assert.Contains("several", twice.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void An_extent_beside_the_archive_is_not_opened()
    {
        _folder.Write("secret.raw", new byte[1 << 20]);
        string descriptor = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"secret.raw\" 0\n";
        string path = _folder.Write("box.ova", OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk.vmdk"))), ("disk.vmdk", Encoding.UTF8.GetBytes(descriptor))));
        using LocalFile file = LocalFile.OpenRead(path);
        PackedDisk disk = PackedFile.Recognize(file, path)!.FindDisk(file, null);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(
            () => disk.Recognize(file).Format!.Open(disk.OpenInArchive(file), Qcow2OpenOptions.Default with { References = ReferencePolicy.Forbid }));
        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, error.Code);
    }
}
