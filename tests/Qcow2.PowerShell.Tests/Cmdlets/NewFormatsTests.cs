using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>New files of VHD, VHDX, VMDK and VDI, as the cmdlets make them, judged by qemu-img.</summary>
public sealed class NewFormatsTests : IDisposable
{
    private const int Size = 5 << 20;

    private readonly ModuleSession _session = new();
    private readonly byte[] _content = new byte[Size];

    public NewFormatsTests()
    {
        new Random(1).NextBytes(_content.AsSpan(0, 70_000));
        new Random(2).NextBytes(_content.AsSpan(3 << 20, 5_000));
        _session.Folder.Write("disk.raw", _content);
    }

    public void Dispose() => _session.Dispose();

    public static TheoryData<string, string, string, string> Layouts => new()
    {
        { "vdi", "", "Dynamic", "vdi" },
        { "vdi", "-DestinationType Fixed", "Fixed", "vdi" },
        { "vhd", "", "Dynamic", "vpc" },
        { "vhd", "-VHDType Fixed", "Fixed", "vpc" },
        { "vhd", "-BlockSizeBytes 512KB", "Dynamic", "vpc" },
        { "vhd", "-AzureReady", "Fixed", "vpc" },
        { "vhdx", "", "Dynamic", "vhdx" },
        { "vhdx", "-DestinationType Fixed -BlockSizeBytes 1MB", "Fixed", "vhdx" },
        { "vhdx", "-BlockSizeBytes 1MB -PhysicalSectorSizeBytes 512", "Dynamic", "vhdx" },
        { "vmdk", "", "monolithicSparse", "vmdk" },
        { "vmdk", "-DestinationType Fixed", "monolithicFlat", "vmdk" },
        { "vmdk", "-DestinationType MonolithicSparse", "monolithicSparse", "vmdk" },
        { "vmdk", "-DestinationType MonolithicFlat", "monolithicFlat", "vmdk" },
        { "vmdk", "-DestinationType Vmfs", "vmfs", "vmdk" },
        { "vmdk", "-DestinationType StreamOptimized", "streamOptimized", "vmdk" },
        { "vmdk", "-Compress", "streamOptimized", "vmdk" },
        { "vmdk", "-DestinationType StreamOptimized -CompressionLevel 1 -AdapterType Ide", "streamOptimized", "vmdk" },
        { "vmdk", "-DestinationType TwoGbMaxExtentSparse", "twoGbMaxExtentSparse", "vmdk" },
        { "vmdk", "-DestinationType TwoGbMaxExtentFlat", "twoGbMaxExtentFlat", "vmdk" },
    };

    [QemuTheory]
    [MemberData(nameof(Layouts))]
    public void A_disk_is_written_and_read_by_its_name(string format, string layout, string subformat, string qemuName)
    {
        if (layout.Contains("Azure", StringComparison.Ordinal))
        {
            File.WriteAllBytes(_session.File("disk.raw"), [.. _content, .. new byte[15 << 20]]); // Azure's smallest.
        }

        SessionResult result = _session.Run($"""
            Convert-Qcow2Image disk.raw source.qcow2
            Convert-Qcow2Image source.qcow2 new.{format} {layout} -PassThru
            (Compare-Qcow2Image new.{format} disk.raw).AreEqual
            Convert-Qcow2Image new.{format} back.qcow2
            (Compare-Qcow2Image back.qcow2 disk.raw).AreEqual
            """);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        Qcow2ImageInfo info = Assert.IsType<Qcow2ImageInfo>(result.Output[0].BaseObject);
        Assert.Equal((format, subformat), (info.Format, info.Subformat));
        Assert.Equal([true, true], result.Output.Skip(1).Select(value => value.BaseObject));
        QemuImg.Run("compare", "-q", "-f", qemuName, "-F", "raw", _session.File($"new.{format}"), _session.File("disk.raw"));
    }

    [QemuTheory]
    [InlineData("vdi", "", 12345344)]
    [InlineData("vdi", "-Type Fixed", 12345344)]
    [InlineData("vhd", "", 12345344)]
    [InlineData("vhd", "-Type Fixed", 12345344)]
    [InlineData("vhd", "-AzureReady", 0x2000000)]
    [InlineData("vhdx", "-LogicalSectorSizeBytes 4096", 12345344)]
    [InlineData("vhdx", "-Type Fixed", 12345344)]
    [InlineData("vmdk", "", 12345344)]
    [InlineData("vmdk", "-Type Vmfs", 12345344)]
    [InlineData("vmdk", "-Type StreamOptimized", 12345344)]
    [InlineData("raw", "", 12345344)]
    public void An_empty_disk_is_made_by_its_name(string format, string layout, long size)
    {
        string asked = layout.Contains("Azure", StringComparison.Ordinal) ? "33000000" : "12345344";
        SessionResult result = _session.Run($"""
            New-Qcow2Image new.{format} {asked} {layout}
            (Measure-Qcow2Image -SizeBytes {asked} -DestinationFormat {format} {layout.Replace("-Type", "-DestinationType", StringComparison.Ordinal)}).RequiredBytes
            """);
        Assert.Empty(result.Errors);
        Qcow2ImageInfo info = Assert.IsType<Qcow2ImageInfo>(result.Output[0].BaseObject);
        Assert.Equal((format, size), (info.Format, info.Size));
        Assert.True(result.Output[1].BaseObject is long required && required >= info.FileSize, result.Output[1].ToString());
        _session.Folder.Write("zeros.raw", new byte[size]);
        Assert.Equal(true, Assert.Single(_session.Run($"Compare-Qcow2Image new.{format} zeros.raw -Quiet").Output).BaseObject);
    }

    [Fact]
    public void The_data_of_a_disk_of_two_files_is_told_from_its_descriptor()
    {
        SessionResult result = _session.Run("Convert-Qcow2Image disk.raw new.vmdk -DestinationType Vmfs; Get-ChildItem *.vmdk | Get-Qcow2Image");
        Assert.Equal("vmfs", Assert.Single(result.Of<Qcow2ImageInfo>()).Subformat);
        Assert.Equal(["NotQcow2"], result.ErrorIds);
        Assert.Contains("name the descriptor", result.Errors[0].Exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Convert-Qcow2Image disk.raw new.vdi -LogicalSectorSizeBytes 4096", "OptionsContradict", "it is about Vhdx")]
    [InlineData("Convert-Qcow2Image disk.raw new.vdi -AzureReady", "OptionsContradict", "it is about Vhd")]
    [InlineData("Convert-Qcow2Image disk.raw new.vdi -RefcountBits 8", "OptionsContradict", "it is about Qcow2")]
    [InlineData("Convert-Qcow2Image disk.raw new.vdi -Compress", "OptionsContradict", "no compression")]
    [InlineData("Convert-Qcow2Image disk.raw new.vmdk -Compress -DestinationType Vmfs", "OptionsContradict", "only a VMDK of the type StreamOptimized")]
    [InlineData("Convert-Qcow2Image disk.raw new.vmdk -BlockSizeBytes 64KB", "OptionsContradict", "about Vhd, Qcow2, Vhdx")]
    [InlineData("New-Qcow2Image new.vmdk 3TB", "LimitExceeded", "2 TiB")]
    [InlineData("Convert-Qcow2Image disk.raw new.vdi -DestinationType StreamOptimized", "OptionsContradict", "Dynamic or Fixed")]
    [InlineData("Convert-Qcow2Image disk.raw new.qcow2 -DestinationType Fixed", "OptionsContradict", "about Vhd, Vhdx, Vmdk, Vdi")]
    [InlineData("Convert-Qcow2Image disk.raw new.raw -DestinationType Fixed", "OptionsContradict", "ends in .qcow2")]
    [InlineData("Convert-Qcow2Image disk.raw new.vhd -AzureReady -DestinationType Dynamic", "OptionsContradict", "fixed")]
    [InlineData("Convert-Qcow2Image disk.raw new.vhdx -AzureReady", "OptionsContradict", "ends in .vhd")]
    [InlineData("New-Qcow2Image new.vhd 33TB -AzureReady", "LimitExceeded", "32 TiB")]
    [InlineData("New-Qcow2Image new.vhd 4TB", "LimitExceeded", "VHDX")]
    [InlineData("New-Qcow2Image new.vhdx 65TB", "LimitExceeded", "64")]
    [InlineData("New-Qcow2Image new.vdi 4MB -ExtendedL2", "OptionsContradict", "about Qcow2")]
    [InlineData("New-Qcow2Image new.qcow2 4MB -Type Fixed", "OptionsContradict", "about Vhd")]
    [InlineData("New-Qcow2Image new.vdi -BackingFile disk.raw -BackingFormat raw -Format Vdi", "OptionsContradict", "about Qcow2")]
    [InlineData("Measure-Qcow2Image disk.raw -DestinationFormat Vdi -RefcountBits 8", "OptionsContradict", "about Qcow2")]
    [InlineData("Convert-Qcow2Image disk.raw new.vhdx -BlockSizeBytes 64KB", "OptionsContradict", "1 to 256 MiB")]
    public void What_contradicts_the_format_is_said_and_nothing_is_made(string command, string id, string words)
    {
        SessionResult result = _session.Run(command);
        Assert.Equal([id], result.ErrorIds);
        Assert.Contains(words, result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Equal(["disk.raw"], Directory.EnumerateFileSystemEntries(_session.Folder.Path).Select(Path.GetFileName));
    }
}
