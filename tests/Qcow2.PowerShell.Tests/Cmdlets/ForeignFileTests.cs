using System.IO.Compression;
using System.Text;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Files that are neither QCOW2 images nor raw disks, whatever their names say.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public ForeignFileTests()
    {
        Write("bochs", "Bochs Virtual HD Image\0", 4096);
        Write("hdd", "<?xml version='1.0'?>\n<Parallels_disk_image Version=\"1.0\">\n", 0);
        Write("html", "<!DOCTYPE html><html><title>404 Not Found</title></html>", 0);
        Write("empty", "", 0);
        using (var gzip = new GZipStream(File.Create(_session.File("gzip.bytes")), CompressionLevel.Fastest))
        {
            gzip.Write(new byte[100_000]);
        }

        Write("vhd", "conectix", 8192); // Without the footer at the end that makes it one.
        _session.With("v3");
    }

    public void Dispose() => _session.Dispose();

    public static TheoryData<string, string, string> Kinds => new()
    {
        { "bochs", "a Bochs image", "qemu-img convert" },
        { "hdd", "the description of a Parallels disk", ".hds" },
        { "vhd", "the start of a VHD", "cut off" },
        { "gzip", "compressed with gzip", "Decompress it first" },
        { "html", "web page", "download the image again" },
        { "empty", "an empty file", "get the image again" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_name_that_says_raw_does_not_make_it_one(string kind, string what, string advice)
    {
        foreach (string extension in new[] { ".img", ".raw", ".dd" })
        {
            string file = kind + extension;
            File.Copy(_session.File(kind + ".bytes"), _session.File(file));
            foreach (string command in new[]
            {
                $"Convert-Qcow2Image {file} out.qcow2", $"Measure-Qcow2Image {file}", $"Compare-Qcow2Image {file} v3.qcow2",
            })
            {
                RequireRefused(command, "FormatAmbiguous", what, advice, "-SourceFormat Raw");
            }

            RequireRefused($"Compare-Qcow2Image v3.qcow2 {file}", "FormatAmbiguous", what, advice, "-DifferenceFormat Raw");
            RequireRefused($"Convert-Qcow2Image v3.qcow2 {file} -NoCreate", "FormatAmbiguous", what, advice, "-DestinationFormat Raw");
            Assert.False(File.Exists(_session.File("out.qcow2")));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_cmdlet_says_what_the_file_is(string kind, string what, string advice)
    {
        File.Copy(_session.File(kind + ".bytes"), _session.File("disk.qcow2"));
        foreach (string command in new[]
        {
            "Get-Qcow2Image disk.qcow2", "Test-Qcow2Image disk.qcow2", "Repair-Qcow2Image disk.qcow2 -Mode Leaks -Confirm:$false", "Get-Qcow2Snapshot disk.qcow2",
            "Get-Qcow2Extent disk.qcow2", "Read-Qcow2Image disk.qcow2 -Count 1", "Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -Confirm:$false",
            "Resize-Qcow2Image disk.qcow2 1GB", "Optimize-Qcow2Image disk.qcow2", "Convert-Qcow2Image disk.qcow2 out.qcow2",
            "Measure-Qcow2Image disk.qcow2", "Compare-Qcow2Image v3.qcow2 disk.qcow2", "Checkpoint-Qcow2Image disk.qcow2 one",
            "New-Qcow2Image out.qcow2 -BackingFile disk.qcow2 -BackingFormat qcow2",
        })
        {
            RequireRefused(command, "NotQcow2", what, advice);
        }
    }

    [Theory]
    [InlineData("bochs")]
    [InlineData("gzip")]
    [InlineData("html")]
    public void It_is_raw_if_somebody_says_so(string kind)
    {
        File.Copy(_session.File(kind + ".bytes"), _session.File("disk.img"));
        Assert.Empty(_session.Run("Convert-Qcow2Image disk.img out.qcow2 -SourceFormat Raw; Convert-Qcow2Image out.qcow2 out.raw").Errors);
        byte[] bytes = File.ReadAllBytes(_session.File("disk.img"));
        Assert.Equal(bytes, File.ReadAllBytes(_session.File("out.raw")).Take(bytes.Length));
    }

    [Theory]
    [InlineData("zeros", 0, "")]
    [InlineData("boot record", 510, "55aa")]
    [InlineData("GPT", 512, "4546492050415254")]
    [InlineData("CD", 32769, "4344303031")]
    [InlineData("ext4", 1024, "004000000000010000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000053ef")]
    public void What_a_disk_begins_as_is_raw_without_a_word(string what, int offset, string hex)
    {
        byte[] disk = new byte[65536];
        Convert.FromHexString(hex).CopyTo(disk, offset);
        foreach (string name in new[] { "disk.img", "disk.raw", "disk.iso" })
        {
            File.WriteAllBytes(_session.File(name), disk);
            SessionResult result = _session.Run($"Convert-Qcow2Image {name} out.qcow2 -Force; Compare-Qcow2Image {name} out.qcow2 -Quiet");
            Assert.True(result.Errors.Count == 0, what);
            Assert.Equal([true], result.Output.Select(value => value.BaseObject));
        }
    }

    [Fact]
    public void A_raw_disk_with_another_name_is_called_what_it_is()
    {
        byte[] disk = new byte[4096];
        disk[510] = 0x55;
        disk[511] = 0xaa;
        File.WriteAllBytes(_session.File("disk.vmimage"), disk);
        RequireRefused("Convert-Qcow2Image disk.vmimage out.qcow2", "NotQcow2", "a raw disk with a boot record", "-SourceFormat Raw");
    }

    private void RequireRefused(string command, string id, params string[] words)
    {
        SessionResult result = _session.Run(command);
        Assert.True(result.ErrorIds is [string only] && only == id, $"{command}: {string.Join(", ", result.ErrorIds)}");
        Assert.All(words, word => Assert.Contains(word, result.Errors[0].Exception.Message, StringComparison.Ordinal));
    }

    private void Write(string kind, string start, int length)
    {
        byte[] bytes = new byte[Math.Max(length, start.Length)];
        Encoding.ASCII.GetBytes(start).CopyTo(bytes, 0);
        File.WriteAllBytes(_session.File(kind + ".bytes"), bytes);
    }
}
