using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Format;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class NewTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Creates_an_empty_disk_with_the_defaults_of_QEMU()
    {
        Qcow2ImageInfo image = One("New-Qcow2Image disk.qcow2 40GB");
        Assert.Equal(_session.File("disk.qcow2"), image.Path);
        Assert.Equal(40L << 30, image.Size);
        Assert.Equal((3, 65_536, 16), (image.Version, image.ClusterSize, image.RefcountBits));
        Assert.InRange(image.FileSize, 1, 1 << 20);
        Assert.Null(image.BackingFile);
    }

    [Fact]
    public void Takes_every_option_of_the_layout()
    {
        Qcow2ImageInfo image = One(
            "New-Qcow2Image -Path disk.qcow2 -Size '64M' -BlockSizeBytes 128KB -CompressionType Zstd -RefcountBits 64 -LazyRefcounts -ExtendedL2 "
            + "-DataFile data.raw -DataFileRaw -Preallocation Metadata");
        Assert.Equal((64L << 20, 131_072, 64), (image.Size, image.ClusterSize, image.RefcountBits));
        Assert.Equal(CompressionType.Zstd, image.CompressionType);
        Assert.True(image.IsExtendedL2);
        Assert.True(image.HasLazyRefcounts);
        Assert.True(image.IsDataFileRaw);
        Assert.Equal("data.raw", image.DataFile);
        Assert.Equal(64L << 20, new FileInfo(_session.File("data.raw")).Length);
        Assert.Equal(2, One("New-Qcow2Image old.qcow2 1MB -Version 2").Version);
    }

    [Fact]
    public void A_size_is_rounded_up_to_whole_sectors_and_that_is_said()
    {
        SessionResult result = _session.Run("New-Qcow2Image disk.qcow2 1000001B -Verbose");
        Assert.Equal(1_000_448, Assert.Single(result.Of<Qcow2ImageInfo>()).Size);
        Assert.Contains(result.Verbose, text => text.Contains("447 more than", StringComparison.Ordinal));
        Assert.DoesNotContain(_session.Run("New-Qcow2Image whole.qcow2 1000448B -Verbose").Verbose, text => text.Contains(" more than", StringComparison.Ordinal));

        _session.Folder.Write("odd.raw", new byte[1000]);
        result = _session.Run("New-Qcow2Image overlay.qcow2 -BackingFile odd.raw -BackingFormat raw -Verbose");
        Assert.Equal(1024, Assert.Single(result.Of<Qcow2ImageInfo>()).Size);
        Assert.Contains(result.Verbose, text => text.Contains("24 more than", StringComparison.Ordinal));

        result = _session.Run("Resize-Qcow2Image disk.qcow2 +1B -PassThru -Verbose");
        Assert.Equal(1_000_960, Assert.Single(result.Of<Qcow2ImageInfo>()).Size);
        Assert.Contains(result.Verbose, text => text.Contains("511 more than", StringComparison.Ordinal));
        Assert.Equal(["ShrinkNotAllowed"], _session.Run("Resize-Qcow2Image disk.qcow2 1000000B").ErrorIds);
        result = _session.Run("Convert-Qcow2Image odd.raw copy.qcow2 -SourceFormat Raw -Verbose");
        Assert.Contains(result.Verbose, text => text.Contains("24 more than", StringComparison.Ordinal));
    }

    [Fact]
    public void An_odd_size_that_is_stored_anew_is_said_by_merging_and_compacting()
    {
        _session.Run("$null = New-Qcow2Image base.qcow2 1MB; $null = New-Qcow2Image top.qcow2 2MB -BackingFile base.qcow2 -BackingFormat qcow2");
        using (FileStream file = File.OpenWrite(_session.File("top.qcow2")))
        {
            file.Position = 24; // The size, as earlier versions could have stored it.
            file.Write([0, 0, 0, 0, 0, 0x1f, 0xff, 0xfd]);
        }

        SessionResult result = _session.Run("Merge-Qcow2Image top.qcow2 -KeepSource -Verbose -Confirm:$false");
        Assert.Contains(result.Verbose, text => text.Contains("3 more than", StringComparison.Ordinal));
        Assert.Equal(2L << 20, Qcow2ImageInfo.Read(_session.File("base.qcow2")).Size);

        _session.Run("Write-Qcow2Image top.qcow2 -Offset 0 -Value ([byte[]]::new(1MB)); Write-Qcow2Image top.qcow2 -Offset 0 -Value ([byte[]](1, 2))");
        result = _session.Run("Optimize-Qcow2Image top.qcow2 -Verbose -PassThru");
        Assert.True(Assert.Single(result.Of<Qcow2OptimizeResult>()).IsReplaced);
        Assert.Contains(result.Verbose, text => text.Contains("3 more than", StringComparison.Ordinal));
        Assert.Equal(2L << 20, Qcow2ImageInfo.Read(_session.File("top.qcow2")).Size);
    }

    [Fact]
    public void A_relative_backing_file_starts_from_the_folder_of_the_image()
    {
        Directory.CreateDirectory(_session.File("vm"));
        One("New-Qcow2Image base.qcow2 3MB");
        Qcow2ImageInfo overlay = One("New-Qcow2Image vm/overlay.qcow2 -ParentPath ../base.qcow2 -BackingFormat QCOW2");
        Assert.Equal(("../base.qcow2", "qcow2", 3L << 20), (overlay.BackingFile, overlay.BackingFormat, overlay.Size));
        Assert.Equal(_session.File("base.qcow2"), overlay.ParentPath);
        Assert.Equal(9L << 20, One("New-Qcow2Image vm/larger.qcow2 9MB -BackingFile ../base.qcow2 -BackingFormat qcow2").Size);
    }

    [Fact]
    public void A_backing_file_that_is_not_looked_at_may_be_missing()
    {
        Qcow2ImageInfo overlay = One("New-Qcow2Image overlay.qcow2 5MB -BackingFile later.raw -BackingFormat raw -NoBackingFileCheck");
        Assert.Equal("later.raw", overlay.BackingFile);
        SessionResult result = _session.Run("New-Qcow2Image x.qcow2 -BackingFile later.raw -BackingFormat raw -NoBackingFileCheck");
        Assert.Equal(["OptionsContradict"], result.ErrorIds);
    }

    [Fact]
    public void An_existing_file_is_replaced_only_with_Force_and_only_when_complete()
    {
        _session.Folder.Write("disk.qcow2", "precious"u8);
        Assert.Equal(["DestinationExists"], _session.Run("New-Qcow2Image disk.qcow2 1MB").ErrorIds);
        Assert.Equal(["LimitExceeded"], _session.Run("New-Qcow2Image disk.qcow2 1EB -Force").ErrorIds);
        Assert.Equal("precious", File.ReadAllText(_session.File("disk.qcow2")));
        Assert.Equal(1L << 20, One("New-Qcow2Image disk.qcow2 1MB -Force").Size);
        Assert.Equal(["disk.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void What_the_image_is_to_be_layered_on_is_not_replaced()
    {
        One("New-Qcow2Image base.qcow2 1MB");
        One("New-Qcow2Image middle.qcow2 -BackingFile base.qcow2 -BackingFormat qcow2");
        const string Layer = "-BackingFile middle.qcow2 -BackingFormat qcow2 -Force";
        foreach (string script in new[]
        {
            $"New-Qcow2Image base.qcow2 {Layer}",
            $"New-Qcow2Image middle.qcow2 {Layer}",
            $"New-Qcow2Image middle.qcow2 1MB {Layer} -NoBackingFileCheck",
            $"New-Qcow2Image top.qcow2 {Layer} -DataFile base.qcow2",
        })
        {
            Assert.Equal(["DestinationIsSource"], _session.Run(script).ErrorIds);
        }

        Assert.Equal("base.qcow2", One("Get-Qcow2Image middle.qcow2").BackingFile);
    }

    [Fact]
    public void An_image_in_use_is_not_replaced()
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // Locks of QEMU's kind exist there.
        }

        One("New-Qcow2Image disk.qcow2 1MB");
        using var user = Qcow2Image.Open(_session.File("disk.qcow2"), new Qcow2OpenOptions { Writable = true });
        Assert.Equal(["ImageLocked"], _session.Run("New-Qcow2Image disk.qcow2 2MB -Force").ErrorIds);
    }

    [Fact]
    public void WhatIf_makes_nothing()
    {
        Assert.Empty(_session.Run("New-Qcow2Image disk.qcow2 1MB -DataFile data.raw -WhatIf").Output);
        Assert.Empty(Directory.GetFiles(_session.Folder.Path));
    }

    [Fact]
    public void A_data_file_is_kept()
    {
        byte[] disk = [.. Enumerable.Range(0, 200_000).Select(i => (byte)(i * 7))];
        _session.Folder.Write("data.raw", disk);
        SessionResult result = _session.Run("New-Qcow2Image disk.qcow2 -DataFile data.raw -DataFileRaw -KeepDataFile -Verbose");
        Qcow2ImageInfo image = Assert.Single(result.Of<Qcow2ImageInfo>());
        Assert.Equal((200_192, "data.raw", true), (image.Size, image.DataFile, image.IsDataFileRaw));
        Assert.Contains(result.Verbose, text => text.Contains("192 more than", StringComparison.Ordinal));
        Assert.Equal(disk, File.ReadAllBytes(_session.File("data.raw")));
        Assert.True(Assert.Single(_session.Run("Compare-Qcow2Image disk.qcow2 data.raw -Quiet").Of<bool>()));

        // -Force replaces the image and nothing else.
        One("New-Qcow2Image disk.qcow2 200000B -DataFile data.raw -KeepDataFile -Preallocation Metadata -Force");
        Assert.Equal(disk, File.ReadAllBytes(_session.File("data.raw")));
        Assert.True(Assert.Single(_session.Run("Compare-Qcow2Image disk.qcow2 data.raw -Quiet").Of<bool>()));

        const string Kept = "-DataFile data.raw -DataFileRaw -KeepDataFile";
        Assert.Empty(_session.Run($"New-Qcow2Image new.qcow2 {Kept} -WhatIf").Output);
        foreach ((string script, string id) in new[]
        {
            ($"New-Qcow2Image disk.qcow2 {Kept}", "DestinationExists"),
            ($"New-Qcow2Image new.qcow2 1MB {Kept}", "OptionsContradict"),
            ("New-Qcow2Image new.qcow2 -DataFile data.raw -KeepDataFile", "OptionsContradict"),
            ($"New-Qcow2Image new.qcow2 {Kept} -Preallocation Full", "OptionsContradict"),
            ($"New-Qcow2Image data.raw -Format Qcow2 {Kept} -Force", "OptionsContradict"),
            ($"New-Qcow2Image new.vhdx {Kept}", "OptionsContradict"),
            ("New-Qcow2Image new.qcow2 -DataFile none.raw -DataFileRaw -KeepDataFile", "PathNotFound"),
            ("New-Qcow2Image new.qcow2 -DataFile . -DataFileRaw -KeepDataFile", "DestinationIsFolder"),
            ("New-Qcow2Image new.qcow2 -DataFile disk.qcow2 -DataFileRaw -KeepDataFile", "FormatAmbiguous"),
            ($"'a.qcow2', 'b.qcow2' | ForEach-Object {{ [pscustomobject] @{{ Path = $_ }} }} | New-Qcow2Image {Kept}", "DestinationNotUnique"),
        })
        {
            Assert.Equal([id], _session.Run(script).ErrorIds);
            Assert.Equal(disk, File.ReadAllBytes(_session.File("data.raw")));
        }

        Assert.Equal(["a.qcow2", "data.raw", "disk.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(["AmbiguousParameterSet"], _session.Run($"New-Qcow2Image new.qcow2 {Kept} -BackingFile data.raw -BackingFormat raw").ErrorIds);
    }

    [Fact]
    public void A_table_binds_by_its_columns()
    {
        SessionResult result = _session.Run("[pscustomobject] @{ Path = 'a[1].qcow2'; Size = '2MB' }, [pscustomobject] @{ Path = 'b.qcow2'; SizeBytes = 3MB } | New-Qcow2Image");
        Assert.Empty(result.Errors);
        Assert.Equal([2L << 20, 3L << 20], result.Of<Qcow2ImageInfo>().Select(image => image.Size));
        Assert.True(File.Exists(_session.File("a[1].qcow2")));
    }

    [Fact]
    public void Sizes_of_clusters_are_completed()
    {
        const string Line = "New-Qcow2Image x.qcow2 1MB -ClusterSizeBytes ";
        CommandCompletion all = Assert.IsType<CommandCompletion>(Complete(Line));
        Assert.Equal(13, all.CompletionMatches.Count);
        Assert.Contains("64KB", Complete(Line + "6").CompletionMatches.Select(match => match.CompletionText));
    }

    private CommandCompletion Complete(string line)
        => Assert.Single(_session.Run("param($line) [Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null)", line).Of<CommandCompletion>());

    private Qcow2ImageInfo One(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Of<Qcow2ImageInfo>());
    }
}
