using System.Security;
using System.Security.Cryptography;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ConvertToQcow2Tests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("-Compress")]
    [InlineData("-Compress -CompressionType Zstd -CompressionLevel 1")]
    [InlineData("-ClusterSizeBytes 512")]
    [InlineData("-ClusterSizeBytes 2MB -ExtendedL2 -LazyRefcounts -RefcountBits 1")]
    [InlineData("-Version 2")]
    [InlineData("-Preallocation Metadata")]
    [InlineData("-DestinationDataFile disk.data -DestinationDataFileRaw")]
    [InlineData("-SparseSize 0 -RateLimit 1GB -ThrottleLimit 3")]
    public void Writes_the_same_disk_in_every_layout(string layout)
    {
        SessionResult result = _session.With("v3").Run($"Convert-Qcow2Image v3.qcow2 disk.qcow2 {layout} -PassThru; Convert-Qcow2Image disk.qcow2 disk.raw; Test-Qcow2Image disk.qcow2 -Quiet");
        Assert.Empty(result.Errors);
        Assert.Equal("qcow2", Assert.IsType<Qcow2ImageInfo>(result.Output[0].BaseObject).Format);
        Assert.Equal(true, result.Output[1].BaseObject);
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("disk.raw"));
    }

    /// <summary>Whatever the file system of the test can, it is asked for it or not, and that is said.</summary>
    [Fact]
    public void Says_what_is_shared_with_the_source_and_shares_nothing_if_told_so()
    {
        SessionResult result = _session.With("v3").Run("""
            Convert-Qcow2Image v3.qcow2 disk.raw -Verbose 4>&1 | ForEach-Object Message
            '-'
            Convert-Qcow2Image v3.qcow2 disk.raw -Force -NoReflink -Verbose 4>&1 | ForEach-Object Message
            """);
        Assert.Empty(result.Errors);
        string[] lines = [.. result.Output.Select(line => (string)line.BaseObject)];
        Assert.Contains(lines.TakeWhile(line => line != "-"), line => line.Contains("shared with the source", StringComparison.Ordinal));
        Assert.DoesNotContain(lines.SkipWhile(line => line != "-"), line => line.Contains("shared", StringComparison.Ordinal));
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("disk.raw"));
    }

    [Fact]
    public void Gives_the_image_the_layout_that_was_asked_for()
    {
        const string Script = "Convert-Qcow2Image v3.qcow2 disk.img -DestinationFormat Qcow2 -ClusterSizeBytes 32KB -RefcountBits 8 -CompressionType Zstd -ExtendedL2 -PassThru";
        Qcow2ImageInfo image = Assert.Single(_session.With("v3").Run(Script).Of<Qcow2ImageInfo>());
        Assert.Equal((32768, 8, "Zstd", true), (image.ClusterSize, image.RefcountBits, image.CompressionType.ToString(), image.IsExtendedL2));
    }

    [Fact]
    public void Encrypts_for_the_one_and_decrypts_for_the_other_passphrase()
    {
        using SecureString old = Secret(Fixtures.Get("luks").Passphrase!);
        using SecureString next = Secret("another");
        const string Script = """
            param($old, $next)
            Convert-Qcow2Image luks.qcow2 disk.qcow2 -Passphrase $old -Encryption Luks -DestinationPassphrase $next -PassThru | ForEach-Object { "$($_.EncryptionMethod)" }
            Convert-Qcow2Image disk.qcow2 disk.raw -Passphrase $next
            """;
        SessionResult result = _session.With("luks").Run(Script, old, next);
        Assert.Empty(result.Errors);
        Assert.Equal("Luks", result.Output[0].BaseObject);
        Assert.Equal(Fixtures.Get("luks").DiskSha256, Sha256("disk.raw"));
    }

    [Fact]
    public void Writes_an_overlay_that_holds_only_what_differs()
    {
        const string Script = """
            New-Qcow2Image base.qcow2 1MB | Out-Null
            Write-Qcow2Image base.qcow2 -Offset 0 -Value (, [byte] 1 * 65536)
            New-Qcow2Image top.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2 | Out-Null
            Write-Qcow2Image top.qcow2 -Offset 512KB -Value (, [byte] 2 * 512)
            Convert-Qcow2Image top.qcow2 thin.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2
            Get-Qcow2Extent thin.qcow2 | Where-Object { $_.Depth -eq 0 -and $_.Kind -eq 'Data' } | ForEach-Object { $_.Offset; $_.Length }
            """;
        Assert.Equal([512 * 1024L, 65536L], _session.Run(Script).Output.Select(value => value.BaseObject));
    }

    [Fact]
    public void A_raw_disk_is_known_by_its_name_or_by_what_is_said()
    {
        const string Script = """
            Convert-Qcow2Image v3.qcow2 disk.raw
            [IO.File]::Copy("$folder/disk.raw", "$folder/disk.bytes")
            Convert-Qcow2Image disk.raw one.qcow2
            Convert-Qcow2Image disk.bytes two.qcow2
            Convert-Qcow2Image disk.bytes two.qcow2 -SourceFormat Raw
            """;
        Assert.Equal(["NotQcow2"], _session.With("v3").Run(Script).ErrorIds);
        _session.Run("Convert-Qcow2Image one.qcow2 one.raw; Convert-Qcow2Image two.qcow2 two.raw");
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("one.raw"));
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("two.raw"));
    }

    [Fact]
    public void A_raw_disk_in_which_a_header_was_planted_is_not_taken_for_an_image()
    {
        SessionResult result = _session.With("chain-base").Run("[IO.File]::Copy(\"$folder/chain-base.qcow2\", \"$folder/guest.raw\"); Convert-Qcow2Image guest.raw out.qcow2");
        Assert.Equal(["FormatAmbiguous"], result.ErrorIds);
        Assert.Empty(_session.Run("Convert-Qcow2Image guest.raw out.qcow2 -SourceFormat Raw; Convert-Qcow2Image out.qcow2 out.raw").Errors);
        Assert.Equal(Sha256("chain-base.qcow2"), Sha256("out.raw")[..64]);
    }

    [Fact]
    public void A_named_pipe_is_refused_and_not_waited_for()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // It has no pipes among its files.
        }

        SessionResult result = _session.Run("mkfifo \"$folder/pipe.raw\"; Convert-Qcow2Image pipe.raw out.qcow2");
        Assert.Contains("neither", Assert.Single(result.Errors).Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Joins_disks()
    {
        SessionResult result = _session.With("v3", "zstd").Run("Convert-Qcow2Image v3.qcow2, zstd.qcow2 joined.raw -Concatenate; 'v3.qcow2', 'zstd.qcow2' | Convert-Qcow2Image -DestinationPath again.raw -Concatenate");
        Assert.Empty(result.Errors);
        _session.Run("Convert-Qcow2Image v3.qcow2 one.raw; Convert-Qcow2Image zstd.qcow2 two.raw");
        byte[] expected = [.. File.ReadAllBytes(_session.File("one.raw")), .. File.ReadAllBytes(_session.File("two.raw"))];
        Assert.Equal(expected, File.ReadAllBytes(_session.File("joined.raw")));
        Assert.Equal(expected, File.ReadAllBytes(_session.File("again.raw")));
    }

    [Fact]
    public void Joins_nothing_if_one_of_the_disks_is_missing()
    {
        SessionResult result = _session.With("v3").Run("Convert-Qcow2Image v3.qcow2, missing.qcow2 joined.raw -Concatenate");
        Assert.Equal(["PathNotFound", "SourceMissing"], result.ErrorIds);
        Assert.False(File.Exists(_session.File("joined.raw")));
    }

    [Fact]
    public void Writes_into_a_disk_that_exists()
    {
        const string Script = """
            New-Qcow2Image there.qcow2 2MB | Out-Null
            Write-Qcow2Image there.qcow2 -Offset 0 -Value (, [byte] 9 * 2MB)
            Convert-Qcow2Image v3.qcow2 there.qcow2 -NoCreate
            Read-Qcow2Image there.qcow2 -Offset 0 -Count 1MB -OutputFile start.raw
            (Read-Qcow2Image there.qcow2 -Offset 1MB -Count 4) -join ' '
            Test-Qcow2Image there.qcow2 -Quiet
            """;
        SessionResult result = _session.With("v3").Run(Script);
        Assert.Empty(result.Errors);
        Assert.Equal(["9 9 9 9", true], result.Output.Select(value => value.BaseObject));
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("start.raw"));
    }

    [Theory]
    [InlineData("Convert-Qcow2Image v3.qcow2 small.qcow2 -NoCreate", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 absent.qcow2 -NoCreate", "PathNotFound")]
    [InlineData("Convert-Qcow2Image v3.qcow2 v3.qcow2 -NoCreate", "DestinationIsSource")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.raw -Compress", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.raw -ExtendedL2", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -CompressionLevel 3", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -Compress -CompressionLevel 10", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -SparseSize 1000", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.raw -CopyBitmaps", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -SkipBrokenBitmaps", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -Encryption Luks", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -BackingFile small.qcow2", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -BackingFile none.qcow2 -BackingFormat qcow2", "BackingFileUnavailable")]
    [InlineData("Convert-Qcow2Image v3.qcow2 small.qcow2 -BackingFile small.qcow2 -BackingFormat qcow2 -Force", "DestinationIsSource")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -Compress -DestinationDataFile x.data", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -DestinationDataFile v3.qcow2 -Force", "DestinationIsSource")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -SnapshotName none", "SnapshotNotFound")]
    [InlineData("Convert-Qcow2Image v3.qcow2 x.qcow2 -SourceFormat Raw -SnapshotName none", "OperationNotSupported")]
    public void Refuses_what_cannot_be_and_leaves_everything_as_it_was(string script, string id)
    {
        _session.With("v3").Run("New-Qcow2Image small.qcow2 64KB");
        string before = Listing();
        Assert.Equal([id], _session.Run(script).ErrorIds);
        Assert.Equal(before, Listing());
    }

    [Theory]
    [InlineData("-TargetIsZero")]
    [InlineData("-NoCreate -Force")]
    [InlineData("-NoCreate -ClusterSizeBytes 64KB")]
    [InlineData("-DeleteSource -SnapshotName x")]
    [InlineData("-DeleteSource -Salvage")]
    [InlineData("-DeleteSource -ForceShare")]
    [InlineData("-DeleteSource -BackingFile v3.qcow2 -BackingFormat qcow2")]
    public void Parameters_that_exclude_each_other_end_the_command(string parameters)
    {
        SessionResult result = _session.With("v3").Run($"try {{ Convert-Qcow2Image v3.qcow2 x.qcow2 {parameters} }} catch {{ $_.FullyQualifiedErrorId }}");
        Assert.StartsWith("ParameterConflict,", Assert.IsType<string>(Assert.Single(result.Output).BaseObject), StringComparison.Ordinal);
        Assert.False(File.Exists(_session.File("x.qcow2")));
    }

    [Fact]
    public void Copies_bitmaps_where_that_is_asked_for()
    {
        const string Script = """
            Convert-Qcow2Image bitmaps.qcow2 without.qcow2
            Convert-Qcow2Image bitmaps.qcow2 with.qcow2 -CopyBitmaps
            'bitmaps.qcow2', 'without.qcow2', 'with.qcow2' | Get-Qcow2Image | ForEach-Object { ($_.Bitmaps | ForEach-Object { "$($_.Name) $($_.Granularity) $($_.IsEnabled)" }) -join ', ' }
            """;
        SessionResult result = _session.With("bitmaps").Run(Script);
        Assert.Empty(result.Errors);
        Assert.NotEqual("", result.Output[0].BaseObject);
        Assert.Equal("", result.Output[1].BaseObject);
        Assert.Equal(result.Output[0].BaseObject, result.Output[2].BaseObject);
    }

    [Fact]
    public void A_broken_bitmap_is_copied_neither_silently_nor_at_all()
    {
        _session.With("bitmaps-in-use");
        Assert.Equal(["BitmapInconsistent"], _session.Run("Convert-Qcow2Image bitmaps-in-use.qcow2 x.qcow2 -CopyBitmaps").ErrorIds);
        SessionResult result = _session.Run("Convert-Qcow2Image bitmaps-in-use.qcow2 x.qcow2 -CopyBitmaps -SkipBrokenBitmaps");
        Assert.Empty(result.Errors);
        Assert.NotEmpty(result.Warnings);
        Assert.All(result.Warnings, warning => Assert.Contains("bitmap '", warning, StringComparison.Ordinal));
    }

    [Fact]
    public void Deletes_the_source_only_when_the_copy_is_there_and_nothing_is_lost()
    {
        _session.With("v3", "snapshots");
        Assert.Equal(["OperationNotSupported"], _session.Run("Convert-Qcow2Image snapshots.qcow2 x.qcow2 -DeleteSource").ErrorIds);
        Assert.Empty(_session.Run("Convert-Qcow2Image v3.qcow2 y.qcow2 -DeleteSource -WhatIf").Errors);
        Assert.True(File.Exists(_session.File("snapshots.qcow2")) && File.Exists(_session.File("v3.qcow2")));
        Assert.Equal(["DestinationFolderNotFound"], _session.Run("Convert-Qcow2Image v3.qcow2 no/y.qcow2 -DeleteSource").ErrorIds);
        Assert.True(File.Exists(_session.File("v3.qcow2")));
        using (Qcow2Image.Open(_session.File("v3.qcow2")))
        {
            // What somebody else reads is not deleted, as it would not be written.
            Assert.Equal(["ImageLocked"], _session.Run("Convert-Qcow2Image v3.qcow2 y.qcow2 -DeleteSource").ErrorIds);
            Assert.True(File.Exists(_session.File("v3.qcow2")));
            Assert.False(File.Exists(_session.File("y.qcow2")));
        }

        Assert.Empty(_session.Run("Convert-Qcow2Image v3.qcow2 y.qcow2 -DeleteSource; Convert-Qcow2Image y.qcow2 y.raw").Errors);
        Assert.False(File.Exists(_session.File("v3.qcow2")));
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("y.raw"));
    }

    [Fact]
    public void Salvage_says_what_is_lost_and_keeps_the_rest()
    {
        _session.Run("""
            New-Qcow2Image disk.qcow2 1MB | Out-Null
            Write-Qcow2Image disk.qcow2 -Offset 0 -Value (, [byte] 7 * 192KB)
            """);
        long host = _session.Run("Get-Qcow2Extent disk.qcow2 -Offset 64KB -Length 64KB").Of<Qcow2Extent>()[0].HostOffset!.Value;
        using (FileStream file = File.OpenWrite(_session.File("disk.qcow2")))
        {
            file.SetLength(host); // What lies in the second and third cluster is gone.
        }

        Assert.Equal(["ImageCorrupt"], _session.Run("Convert-Qcow2Image disk.qcow2 lost.raw").ErrorIds);
        Assert.False(File.Exists(_session.File("lost.raw")));
        SessionResult result = _session.Run("Convert-Qcow2Image disk.qcow2 saved.raw -Salvage");
        Assert.Empty(result.Errors);
        Assert.Contains("128 KiB", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Contains("0x10000 ", result.Warnings[0], StringComparison.Ordinal);
        byte[] saved = File.ReadAllBytes(_session.File("saved.raw"));
        Assert.Equal(1 << 20, saved.Length);
        Assert.All(saved[..65536], value => Assert.Equal(7, value));
        Assert.All(saved[65536..], value => Assert.Equal(0, value));
    }

    private static SecureString Secret(string text)
    {
        var secret = new SecureString();
        text.ToList().ForEach(secret.AppendChar);
        return secret;
    }

    private string Sha256(string name)
    {
        using FileStream file = File.OpenRead(_session.File(name));
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private string Listing() => string.Join('\n', Directory.GetFiles(_session.Folder.Path, "*", SearchOption.AllDirectories).Order()
        .Select(file => $"{file} {new FileInfo(file).LastWriteTimeUtc.Ticks} {Sha256(file)}"));
}
