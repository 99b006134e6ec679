using System.Management.Automation;
using System.Text.Json;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class MeasureTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [QemuTheory]
    [InlineData("", "")]
    [InlineData("-ClusterSizeBytes 2MB -ExtendedL2", "-o cluster_size=2M,extended_l2=on")]
    [InlineData("-Version 2 -BlockSizeBytes 4K", "-o compat=0.10,cluster_size=4k")]
    [InlineData("-RefcountBits 64 -Preallocation Full", "-o refcount_bits=64,preallocation=full")]
    [InlineData("-DestinationFormat Raw", "-O raw")]
    public void A_size_is_measured_as_by_qemu(string ours, string qemus)
    {
        Qcow2MeasureResult result = Measure($"Measure-Qcow2Image -SizeBytes '100GB' {ours}");
        string format = qemus.Contains("-O", StringComparison.Ordinal) ? "" : "-O qcow2 ";
        using JsonDocument expected = JsonDocument.Parse(
            QemuImg.Run($"measure --output=json --size 100G {format}{qemus}".Trim().Split(' ')));
        Assert.Equal(expected.RootElement.GetProperty("required").GetInt64(), result.RequiredBytes);
        Assert.Equal(expected.RootElement.GetProperty("fully-allocated").GetInt64(), result.FullyAllocatedBytes);
        Assert.Equal(100L << 30, result.Size);
        Assert.Equal("", result.Path);
        Assert.Equal(ours.Contains("Raw", StringComparison.Ordinal) ? "raw" : "qcow2", result.DestinationFormat);
        Assert.Null(result.BitmapsBytes);
    }

    [Fact]
    public void An_image_goes_in_by_every_way()
    {
        string path = _session.With("bitmaps").File("bitmaps.qcow2");
        foreach (string script in new[]
        {
            "Measure-Qcow2Image bitmaps.qcow2",
            "Measure-Qcow2Image -LiteralPath bitmaps.qcow2",
            "Get-Qcow2Image bitmaps.qcow2 | Measure-Qcow2Image",
            "Measure-Qcow2Image bitmaps.qcow2 | Measure-Qcow2Image",
        })
        {
            Qcow2MeasureResult result = Measure(script);
            Assert.Equal(path, result.Path);
            Assert.True(result.BitmapsBytes > 0);
            Assert.InRange(result.RequiredBytes, 1, result.FullyAllocatedBytes);
        }
    }

    [Fact]
    public void An_encrypted_image_needs_no_passphrase_and_its_copy_neither()
    {
        long plain = Measure("Measure-Qcow2Image luks.qcow2", "luks").RequiredBytes;
        Assert.InRange(Measure("Measure-Qcow2Image luks.qcow2 -Encryption Luks").RequiredBytes, plain + 1_000_000, plain + 3_000_000);
    }

    [Fact]
    public void A_snapshot_is_measured_with_its_own_size()
    {
        Assert.Equal(400 << 10, Measure("Measure-Qcow2Image snapshots.qcow2 -SnapshotName 3", "snapshots").Size);
        Assert.Equal(400 << 10, Measure("Get-Qcow2Snapshot snapshots.qcow2 -Id 3 | Measure-Qcow2Image").Size);
    }

    [Theory]
    [InlineData("disk.raw")]
    [InlineData("disk.IMG")]
    [InlineData("disk.iso")]
    [InlineData("disk.dd")]
    [InlineData("disk.bin")]
    public void A_raw_disk_is_known_by_its_name(string name)
    {
        File.WriteAllBytes(_session.File(name), new byte[3 << 20]);
        Assert.Equal(3 << 20, Measure($"Measure-Qcow2Image {name}").Size);
        Assert.Equal(3 << 20, Measure($"Measure-Qcow2Image {name} -DestinationFormat Raw").RequiredBytes);
    }

    [Fact]
    public void A_file_of_another_name_is_raw_only_if_that_is_said()
    {
        File.WriteAllBytes(_session.File("disk.vmdk"), new byte[1 << 20]);
        SessionResult refused = _session.Run("Measure-Qcow2Image disk.vmdk");
        Assert.Equal(["NotQcow2"], refused.ErrorIds);
        Assert.Contains("-SourceFormat Raw", refused.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Equal(1 << 20, Measure("Measure-Qcow2Image disk.vmdk -SourceFormat Raw").Size);
    }

    [Fact]
    public void A_raw_name_with_an_images_content_is_never_guessed()
    {
        _session.With("v3");
        File.Copy(_session.File("v3.qcow2"), _session.File("planted.raw"));
        Assert.Equal(["FormatAmbiguous"], _session.Run("Measure-Qcow2Image planted.raw").ErrorIds);
        Assert.Equal(new FileInfo(_session.File("planted.raw")).Length, Measure("Measure-Qcow2Image planted.raw -SourceFormat Raw").Size);
        Assert.Equal(Measure("Measure-Qcow2Image v3.qcow2").RequiredBytes, Measure("Measure-Qcow2Image planted.raw -SourceFormat Qcow2").RequiredBytes);
    }

    [Fact]
    public void The_raw_end_of_a_chain_is_measured_as_raw()
    {
        IReadOnlyList<Qcow2MeasureResult> results = _session.With("backing-raw")
            .Run("Get-Qcow2Image backing-raw.qcow2 -BackingChain | Measure-Qcow2Image").Of<Qcow2MeasureResult>();
        Assert.Equal(2, results.Count);
    }

    [Theory]
    [InlineData("-SizeBytes 1GB -ExtendedL2 -ClusterSizeBytes 4KB", "OptionsContradict")]
    [InlineData("-SizeBytes 1GB -Version 2 -RefcountBits 8", "OptionsContradict")]
    [InlineData("-SizeBytes 1GB -ClusterSizeBytes 1000", "OptionsContradict")]
    [InlineData("-SizeBytes 1GB -Encryption Aes", "OptionsContradict")]
    [InlineData("-SizeBytes 1GB -DestinationFormat Raw -RefcountBits 8", "OptionsContradict")]
    [InlineData("-SizeBytes 1GB -SnapshotName x", "OptionsContradict")]
    [InlineData("-SizeBytes 200GB -ClusterSizeBytes 512", "LimitExceeded")]
    [InlineData("-SizeBytes 7E", "LimitExceeded")]
    [InlineData("nowhere.qcow2", "PathNotFound")]
    [InlineData("disk.raw -SnapshotName x", "OperationNotSupported")]
    public void What_cannot_be_is_an_error(string arguments, string id)
    {
        File.WriteAllBytes(_session.File("disk.raw"), new byte[512]);
        SessionResult result = _session.Run($"Measure-Qcow2Image {arguments}");
        Assert.Equal([id], result.ErrorIds);
        Assert.Empty(result.Output);
    }

    [Fact]
    public void One_bad_file_among_many_does_not_end_it()
    {
        File.WriteAllText(_session.With("v3", "zstd").File("text.qcow2"), "not an image");
        SessionResult result = _session.Run("Measure-Qcow2Image *.qcow2");
        Assert.Equal(["NotQcow2"], result.ErrorIds);
        Assert.Equal(2, result.Output.Count);
    }

    [Fact]
    public void An_image_in_use_is_measured_with_a_warning()
    {
        using Qcow2Image writer = Qcow2Image.Open(_session.With("v3").File("v3.qcow2"), new Qcow2OpenOptions { Writable = true });
        SessionResult result = _session.Run("Measure-Qcow2Image v3.qcow2");
        Assert.Single(result.Output);
        if (OperatingSystem.IsLinux())
        {
            Assert.Contains("open for writing", Assert.Single(result.Warnings), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void It_shows_readable_sizes_and_has_five_parameter_sets()
    {
        Assert.Matches(@"100 GiB\s+qcow2\s+\d+(\.\d+)? MiB\s+100 GiB\s+-", _session.Show("Measure-Qcow2Image -SizeBytes 100GB"));
        var cmdlet = (CmdletInfo)Assert.Single(_session.Run("Get-Command Measure-Qcow2Image").Output).BaseObject;
        Assert.Equal(["InputObject", "LiteralPath", "Path", "Size", "Uri"], cmdlet.ParameterSets.Select(set => set.Name).Order());
    }

    private Qcow2MeasureResult Measure(string script, params string[] fixtures)
    {
        SessionResult result = _session.With(fixtures).Run(script);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Of<Qcow2MeasureResult>());
    }
}
