using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>VHDX, VMDK and VDI files, as qemu-img makes them, in every cmdlet that reads a disk.</summary>
public sealed class OtherFormatsTests : IDisposable
{
    private const int Size = 3 << 20;

    private readonly ModuleSession _session = new();
    private readonly byte[] _content = new byte[Size];

    public OtherFormatsTests()
    {
        new Random(1).NextBytes(_content.AsSpan(0, 70_000));
        new Random(2).NextBytes(_content.AsSpan(2 << 20, 5_000));
        _session.Folder.Write("disk.raw", _content);
    }

    public void Dispose() => _session.Dispose();

    [QemuTheory]
    [InlineData("vhdx", "subformat=dynamic", "Dynamic")]
    [InlineData("vmdk", "subformat=monolithicSparse", "monolithicSparse")]
    [InlineData("vmdk", "subformat=monolithicFlat", "monolithicFlat")]
    [InlineData("vmdk", "subformat=twoGbMaxExtentSparse", "twoGbMaxExtentSparse")]
    [InlineData("vmdk", "subformat=streamOptimized", "streamOptimized")]
    [InlineData("vdi", "static=off", "Dynamic")]
    public void Every_cmdlet_that_reads_a_disk_takes_it(string format, string options, string subformat)
    {
        string name = $"disk.{format}";
        QemuImg.Run("convert", "-f", "raw", "-O", format, "-o", options, _session.File("disk.raw"), _session.File(name));
        Qcow2ImageInfo info = Assert.Single(_session.Run($"Get-Qcow2Image {name}").Of<Qcow2ImageInfo>());
        Assert.Equal((format, subformat, Size), (info.Format, info.Subformat, info.Size));
        SessionResult result = _session.Run($"""
            Convert-Qcow2Image {name} out.qcow2
            Convert-Qcow2Image {name} out.raw -SourceFormat {format}
            (Compare-Qcow2Image {name} out.qcow2).AreEqual
            (Compare-Qcow2Image disk.raw {name}).AreEqual
            (Get-Qcow2Extent {name} | Measure-Object Length -Sum).Sum -eq 3MB
            (Measure-Qcow2Image {name}).RequiredBytes -gt 64KB
            (Get-Qcow2Image {name} | Measure-Qcow2Image).RequiredBytes -gt 64KB
            $null = New-Qcow2Image over.qcow2 -BackingFile {name} -BackingFormat {format}
            (Compare-Qcow2Image over.qcow2 disk.raw).AreEqual
            """);
        Assert.Empty(result.Errors);
        Assert.Equal(Enumerable.Repeat<object>(true, 6), result.Output.Select(value => value.BaseObject));
        Assert.Equal(_content, File.ReadAllBytes(_session.File("out.raw")));
        Assert.Equal(_content[1000..4000], Assert.Single(_session.Run($"Read-Qcow2Image {name} -Offset 1000 -Count 3000").Of<byte[]>()));
        string shown = Assert.Single(_session.Run($"Get-Qcow2Image {name} | Format-List | Out-String -Width 200").Output).ToString();
        Assert.Contains(subformat, shown, StringComparison.Ordinal);
        Assert.DoesNotContain("IsExtendedL2", shown, StringComparison.Ordinal); // What only QCOW2 has.

        // QEMU agrees on what the overlay is laid over.
        QemuImg.Run("compare", "-q", "-f", "qcow2", "-F", "raw", _session.File("over.qcow2"), _session.File("disk.raw"));
    }

    [QemuTheory]
    [InlineData("vhdx")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    public void What_cannot_be_done_is_said(string format)
    {
        QemuImg.Run("create", "-q", "-f", format, _session.File($"disk.{format}"), "1M");
        foreach ((string command, string id, string words) in new[]
            {
                ($"Resize-Qcow2Image disk.{format} 2MB", "NotQcow2", "only read"),
                ($"Write-Qcow2Image disk.{format} -Offset 0 -Value 1 -Confirm:$false", "NotQcow2", "convert it"),
                ($"Convert-Qcow2Image disk.raw disk.{format} -NoCreate", "UnsupportedFeature", "only be read"),
            })
        {
            SessionResult result = _session.Run(command);
            Assert.Equal([id], result.ErrorIds);
            Assert.Contains(words, result.Errors[0].Exception.Message, StringComparison.Ordinal);
        }
    }

    [QemuFact]
    public void Chain_of_VMDK_files_is_followed_under_the_policy()
    {
        QemuImg.Run("convert", "-f", "raw", "-O", "vmdk", _session.File("disk.raw"), _session.File("base.vmdk"));
        QemuImg.RunIn(_session.Folder.Path, "create", "-q", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", "top.vmdk");
        Assert.Equal("True", Text("(Compare-Qcow2Image top.vmdk disk.raw).AreEqual"));
        Assert.Equal("top.vmdk base.vmdk", Text("(Get-Qcow2Image top.vmdk -BackingChain | ForEach-Object { Split-Path $_.Path -Leaf }) -join ' '"));
        Assert.Equal(["ReferenceForbidden"], _session.Run("Convert-Qcow2Image top.vmdk out.qcow2 -ReferencePolicy Forbid").ErrorIds);
        File.Delete(_session.File("base.vmdk"));
        Assert.Equal(["BackingFileUnavailable"], _session.Run("Convert-Qcow2Image top.vmdk out.qcow2").ErrorIds);
    }

    [Theory]
    [InlineData("../secret.raw")]
    [InlineData("sub/../../secret.raw")]
    [InlineData("{absolute}")]
    public void Extent_that_is_elsewhere_is_not_opened(string name)
    {
        Directory.CreateDirectory(_session.File("vm"));
        _session.Folder.Write("secret.raw", new byte[4096]);
        name = name.Replace("{absolute}", _session.File("secret.raw"), StringComparison.Ordinal);
        File.WriteAllText(
            _session.File("vm/disk.vmdk"), $"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"{name}\" 0\n");
        SessionResult result = _session.Run("Convert-Qcow2Image vm/disk.vmdk out.raw");
        Assert.Equal(["ReferenceForbidden"], result.ErrorIds);
        Assert.Contains("outside of its own folder", result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_session.File("out.raw")));

        // Beside its descriptor it is read, unless other files are not to be opened at all.
        File.WriteAllText(_session.File("vm/disk.vmdk"), "# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 8 FLAT \"a-flat.vmdk\" 0\n");
        File.WriteAllBytes(_session.File("vm/a-flat.vmdk"), new byte[4096]);
        Assert.Equal(["ReferenceForbidden"], _session.Run("Convert-Qcow2Image vm/disk.vmdk out.raw -ReferencePolicy Forbid").ErrorIds);
        Assert.Empty(_session.Run("Convert-Qcow2Image vm/disk.vmdk out.raw").Errors);
    }

    private string Text(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Output).ToString();
    }
}
