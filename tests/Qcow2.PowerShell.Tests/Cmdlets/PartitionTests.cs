using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Get-Qcow2Partition, and the warnings of cmdlets that give a disk another size or other sectors.</summary>
public sealed class PartitionTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public PartitionTests()
    {
        foreach (string name in new[] { "gpt", "gpt-4k", "gpt-grown", "mbr", "ext4-hostile-label", "zeros" })
        {
            VolumeFixture.Write(name, _session.File(name + ".raw"));
        }
    }

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("Get-Qcow2Partition gpt.raw")]
    [InlineData("Get-Qcow2Partition -LiteralPath ./gpt.raw")]
    [InlineData("Get-Item gpt.raw | Get-Qcow2Partition")]
    [InlineData("Get-Qcow2Image gpt.raw | Get-Qcow2Partition")]
    [InlineData("Get-Qcow2Extent gpt.raw | Select-Object -First 1 | Get-Qcow2Partition")]
    [InlineData("Get-Qcow2Partition gpt.raw | Select-Object -First 1 | Get-Qcow2Partition")]
    [InlineData("Get-Qcow2Partition gpt.raw | Select-Object -First 1 | ConvertTo-Csv | ConvertFrom-Csv | Get-Qcow2Partition")]
    [InlineData("Rename-Item gpt.raw gpt.data; Get-Qcow2Partition gpt.data -SourceFormat Raw")]
    [InlineData("Convert-Qcow2Image gpt.raw gpt.qcow2; Get-Qcow2Partition gpt.qcow2")]
    [InlineData("Convert-Qcow2Image gpt.raw gpt.vhdx; Get-Qcow2Partition gpt.vhdx")]
    [InlineData("Convert-Qcow2Image gpt.raw gpt.vmdk; Get-Qcow2Partition gpt.vmdk")]
    [InlineData("New-Qcow2Image top.qcow2 -BackingFile gpt.raw -BackingFormat raw | Out-Null; Get-Qcow2Partition top.qcow2")]
    public void Partitions_come_from_any_disk_in_any_way(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
        IReadOnlyList<Qcow2Partition> found = result.Of<Qcow2Partition>();
        Assert.Equal([1, 2, 3, 5, 9], found.Select(one => one.PartitionNumber));
        Assert.Equal("{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}", found[1].GptType);
        Assert.All(found, one => Assert.True(File.Exists(one.Path)));
    }

    [Fact]
    public void A_snapshot_has_its_own()
    {
        SessionResult result = _session.Run("""
            Convert-Qcow2Image mbr.raw disk.qcow2
            Checkpoint-Qcow2Image disk.qcow2 before
            Write-Qcow2Image disk.qcow2 -Offset 0 -Value ([byte[]]::new(512)) -Confirm:$false
            Get-Qcow2Partition disk.qcow2
            Get-Qcow2Partition disk.qcow2 -SnapshotName before
            Get-Qcow2Snapshot disk.qcow2 | Get-Qcow2Partition | Select-Object -First 1 | Get-Qcow2Partition
            """);
        Assert.Empty(result.Errors);
        IReadOnlyList<Qcow2Partition> found = result.Of<Qcow2Partition>();
        Assert.Equal([1, 2, 4, 5, 6, 7, 1, 2, 4, 5, 6, 7], found.Select(one => one.PartitionNumber));
        Assert.All(found, one => Assert.Equal(("1", "before"), (one.SnapshotId, one.SnapshotName)));
    }

    [Fact]
    public void A_file_system_without_a_table_is_one_row_and_nothing_is_none()
    {
        Qcow2Partition one = Assert.Single(_session.Run("Get-Qcow2Partition ext4-hostile-label.raw").Of<Qcow2Partition>());
        Assert.Equal((null, PartitionStyle.Raw, "ext4"), (one.PartitionNumber, one.PartitionStyle, one.FileSystem));
        SessionResult nothing = _session.Run("Get-Qcow2Partition zeros.raw -Verbose 4>&1");
        Assert.Contains("there is no partition", Assert.Single(nothing.Output).ToString(), StringComparison.Ordinal);
        Assert.Empty(nothing.Errors);
    }

    [Fact]
    public void An_encrypted_image_needs_its_passphrase()
    {
        _session.With("luks");
        string passphrase = Fixtures.Get("luks").Passphrase!;
        Assert.Empty(_session.Run("Get-Qcow2Partition luks.qcow2 -Passphrase (ConvertTo-SecureString $args[0] -AsPlainText -Force)", passphrase).Errors);
        Assert.Equal(["PassphraseRequired"], _session.Run("Get-Qcow2Partition luks.qcow2").ErrorIds);
    }

    [Theory]
    [InlineData("New-Qcow2Image top.qcow2 -BackingFile gpt.raw -BackingFormat raw | Out-Null; Get-Qcow2Partition top.qcow2 -ReferencePolicy Forbid", "ReferenceForbidden")]
    [InlineData("Get-Qcow2Partition none.raw", "PathNotFound")]
    [InlineData("Get-Qcow2Partition gpt.raw -SnapshotName one", "OperationNotSupported")]
    [InlineData("Get-Qcow2Partition gpt.raw -LogicalSectorSizeBytes 1024", "ParameterArgumentValidationError")]
    public void What_cannot_be_read_is_an_error(string script, string id) => Assert.Equal([id], _session.Run(script).ErrorIds);

    [Theory]
    [InlineData("Get-Qcow2Partition gpt-grown.raw", "gpt-grown.raw: The backup of the GPT ends at 33554432 and the disk at 50331648")]
    [InlineData("Resize-Qcow2Image gpt.raw +8MB", "gpt.raw: The backup of the GPT ends at 33554432 and the disk at 41943040")]
    [InlineData("Resize-Qcow2Image gpt.raw +8MB -WhatIf", "gpt.raw: The backup of the GPT ends at 33554432 and the disk at 41943040")]
    [InlineData("Resize-Qcow2Image mbr.raw 14MB -AllowShrink -Confirm:$false", "mbr.raw: Partitions 6, 7 end past the new end of the disk, 14680064 bytes")]
    [InlineData("Convert-Qcow2Image gpt.raw disk.vhdx -LogicalSectorSizeBytes 4096", "disk.vhdx: The partition table counts in sectors of 512 bytes, and the new disk has sectors of 4096")]
    [InlineData("Convert-Qcow2Image gpt-4k.raw disk.vhdx", "disk.vhdx: The partition table counts in sectors of 4096 bytes, and the new disk has sectors of 512")]
    [InlineData("Convert-Qcow2Image gpt-4k.raw a.vhdx -LogicalSectorSizeBytes 4096; Convert-Qcow2Image a.vhdx b.qcow2", "b.qcow2: The partition table counts in sectors of 4096 bytes, and the new disk has sectors of 512")]
    [InlineData("New-Qcow2Image big.qcow2 64MB | Out-Null; Convert-Qcow2Image gpt.raw big.qcow2 -NoCreate", "big.qcow2: The backup of the GPT ends at 33554432 and the disk at 67108864")]
    public void Who_will_be_bitten_is_warned_once(string script, string warning)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Assert.Contains(warning, Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Convert-Qcow2Image gpt.raw disk.qcow2")]
    [InlineData("Convert-Qcow2Image gpt-4k.raw disk.qcow2")]
    [InlineData("Convert-Qcow2Image gpt-4k.raw disk.vhdx -LogicalSectorSizeBytes 4096")]
    [InlineData("Convert-Qcow2Image ext4-hostile-label.raw disk.vhdx -LogicalSectorSizeBytes 4096")]
    [InlineData("Resize-Qcow2Image mbr.raw +8MB")]
    [InlineData("Resize-Qcow2Image mbr.raw 24MB -AllowShrink -Confirm:$false")]
    [InlineData("Resize-Qcow2Image gpt-grown.raw 32MB -AllowShrink -Confirm:$false")]
    public void Who_will_not_be_is_not(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Warnings);
    }

    [Theory]
    [InlineData("Get-Qcow2Partition gpt.raw", @"\n\s+2\s+2 MiB\s+8 MiB EFI System\s+EFI System Partition")]
    [InlineData("Get-Qcow2Partition gpt.raw", @"Image: .*gpt\.raw \(GPT\)")]
    [InlineData("Get-Qcow2Partition mbr.raw", @"\n\s+1\s+1 MiB\s+4 MiB NTFS, exFAT or HPFS, active")]
    [InlineData("Get-Qcow2Partition ext4-hostile-label.raw", @"ext4\s+a\\x1b\[31mb\\x09c")]
    [InlineData("Get-Qcow2Partition gpt.raw | Select-Object -Last 1 | Format-List", @"Size\s+: 1 MiB \(1,048,576 bytes\)")]
    public void The_views_show_what_a_person_wants_to_know(string script, string pattern) => Assert.Matches(pattern, _session.Show(script));
}
