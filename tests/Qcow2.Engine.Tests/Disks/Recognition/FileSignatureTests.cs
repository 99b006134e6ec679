using System.IO.Compression;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Disks.Recognition;

public sealed class FileSignatureTests
{
    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach ((string name, _, _) in FileSignatureCases.All)
            {
                names.Add(name);
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_file_is_told_by_its_content(string name)
    {
        (_, string? id, byte[] bytes) = FileSignatureCases.All.Single(one => one.Name == name);
        Assert.Equal(id, FileSignatures.Of(new MemoryStorage(bytes))?.Id);
    }

    [Fact]
    public void Every_kind_has_a_case_and_an_id_of_its_own()
    {
        string[] ids = [.. FileSignatures.All.Select(kind => kind.Id)];
        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.Empty(ids.Except(FileSignatureCases.All.Select(one => one.Id)));
        Assert.True(ids.Length >= 50);
    }

    [Fact]
    public void Only_what_a_disk_begins_as_is_taken_for_a_raw_disk()
        => Assert.Equal(
            ["iso9660", "gpt", "luks", "ntfs", "fat", "mbr", "ext", "xfs", "btrfs", "squashfs", "lvm", "swap"],
            FileSignatures.All.Where(kind => !kind.ContradictsRaw).Select(kind => kind.Id));

    [Theory]
    [MemberData(nameof(Names))]
    public void The_error_of_an_image_says_what_the_file_is(string name)
    {
        (_, string? id, byte[] bytes) = FileSignatureCases.All.Single(one => one.Name == name);
        Qcow2Exception opened = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(new MemoryStorage(bytes)));
        FileSignature? kind = FileSignatures.All.SingleOrDefault(one => one.Id == id);
        if (id == "qcow1")
        {
            Assert.Contains("QCOW image of version 1", opened.Message, StringComparison.Ordinal);
            return;
        }

        Qcow2Exception tested = Assert.Throws<Qcow2Exception>(() => Qcow2Checker.Check(new MemoryStorage(bytes)));
        Assert.All([opened, tested], error =>
        {
            Assert.Equal(Qcow2ErrorCode.NotQcow2, error.Code);
            Assert.Contains(kind?.Description ?? "magic number", error.Message, StringComparison.Ordinal);
            Assert.Contains(kind?.Advice ?? "", error.Message, StringComparison.Ordinal);
        });
    }

    [QemuTheory]
    [InlineData("vmdk", "vmdk")]
    [InlineData("vmdk -o subformat=streamOptimized", "vmdk")]
    [InlineData("vmdk -o subformat=monolithicFlat", "vmdk-descriptor")]
    [InlineData("vdi", "vdi")]
    [InlineData("vhdx", "vhdx")]
    [InlineData("vpc", "vhd")]
    [InlineData("vpc -o subformat=fixed", "vhd")]
    [InlineData("qed", "qed")]
    [InlineData("parallels", "parallels")]
    [InlineData("qcow", "qcow1")]
    [InlineData("luks --object secret,id=s,data=x -o key-secret=s,iter-time=10", "luks")]
    [InlineData("raw", null)]
    public void What_qemu_img_writes_is_known(string options, string? id)
    {
        using var folder = new TempFolder();
        string path = folder.File("disk.img");
        string[] words = options.Split(' ');
        QemuImg.Run(["create", "-q", "-f", .. words, path, "4M"]);
        Assert.Equal(id, FileSignatures.Of(path)?.Id);
    }

    /// <summary>Images of other programs. The folder is no part of the project; see its description there.</summary>
    [SampleFact]
    public void Real_images_of_other_programs_are_known()
    {
        var wrong = new List<string>();
        int looked = 0;
        foreach (string path in Directory.EnumerateFiles(SampleFactAttribute.Folder!, "*", SearchOption.AllDirectories))
        {
            string folder = Path.GetRelativePath(SampleFactAttribute.Folder!, path).Split('/', '\\')[0];
            if (folder is not ("vhd" or "vhdx" or "vmdk" or "vdi" or "qcow1" or "parallels") || IsNoImage(path))
            {
                continue;
            }

            looked++;
            string? id = FileSignatures.Of(new MemoryStorage(Unpacked(path)))?.Id;
            if (id is null || !id.StartsWith(folder, StringComparison.Ordinal))
            {
                wrong.Add($"{path}: {id}");
            }
        }

        Assert.Empty(wrong);
        Assert.True(looked > 20, $"{looked} samples");
    }

    /// <summary>Flat extents are raw disks, whatever image they belong to; and a folder of Parallels has its own description.</summary>
    private static bool IsNoImage(string path)
        => path.Contains("-flat.", StringComparison.Ordinal) || path.Contains("dissect-plain", StringComparison.Ordinal) || path.EndsWith(".md", StringComparison.Ordinal) || path.EndsWith(".xml", StringComparison.Ordinal);

    /// <summary>The start and the end of a sample, without what lies between them: some are of a GiB.</summary>
    private static byte[] Unpacked(string path)
    {
        const int Ends = 128 * 1024;
        using Stream bytes = Samples.Open(path);
        byte[] head = new byte[Ends];
        int headLength = bytes.ReadAtLeast(head, Ends, throwOnEndOfStream: false);
        byte[] piece = new byte[Ends];
        byte[] tail = [];
        for (int read; (read = bytes.ReadAtLeast(piece, Ends, throwOnEndOfStream: false)) > 0;)
        {
            tail = [.. tail.AsSpan(Math.Max(0, tail.Length - Ends)), .. piece.AsSpan(0, read)];
        }

        return [.. head.AsSpan(0, headLength), .. tail];
    }
}
