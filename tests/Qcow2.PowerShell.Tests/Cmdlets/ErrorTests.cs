using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ErrorTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Theory]
    [InlineData("Get-Qcow2Image missing.qcow2", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Image -LiteralPath missing.qcow2", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Image -LiteralPath no/such/folder.qcow2", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Image $folder", "PathIsFolder", ErrorCategory.InvalidArgument)]
    [InlineData("Get-Qcow2Image env:PATH", "ProviderNotSupported", ErrorCategory.InvalidArgument)]
    [InlineData("Get-Qcow2Image -LiteralPath variable:folder", "ProviderNotSupported", ErrorCategory.InvalidArgument)]
    [InlineData("Get-Qcow2Image nodrive:x.qcow2", "DriveNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Image NoProvider::x.qcow2", "ProviderNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Image text.qcow2", "NotQcow2", ErrorCategory.InvalidData)]
    [InlineData("Get-Qcow2Image cut.qcow2", "ImageCorrupt", ErrorCategory.InvalidData)]
    [InlineData("Get-Qcow2Image bit-incompatible-named.qcow2", "UnsupportedFeature", ErrorCategory.NotImplemented)]
    [InlineData("Get-Qcow2Image backing-missing.qcow2 -BackingChain", "BackingFileUnavailable", ErrorCategory.ResourceUnavailable)]
    [InlineData("Get-Qcow2Image backing-loop.qcow2 -BackingChain", "BackingChainLoop", ErrorCategory.InvalidData)]
    [InlineData("Get-Qcow2Image backing-no-format.qcow2 -BackingChain", "BackingFormatMissing", ErrorCategory.InvalidArgument)]
    [InlineData("Get-Qcow2Image backing-nbd.qcow2 -BackingChain", "ReferenceForbidden", ErrorCategory.PermissionDenied)]
    [InlineData("Get-Qcow2Extent backing-qcow2.qcow2 -ReferencePolicy Forbid", "ReferenceForbidden", ErrorCategory.PermissionDenied)]
    [InlineData("Get-Qcow2Extent data-file-missing.qcow2", "DataFileUnavailable", ErrorCategory.ResourceUnavailable)]
    [InlineData("Get-Qcow2Extent snapshots.qcow2 -SnapshotName none", "SnapshotNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 none", "SnapshotNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Convert-Qcow2Image luks.qcow2 x.raw", "PassphraseRequired", ErrorCategory.AuthenticationError)]
    [InlineData("Convert-Qcow2Image empty.qcow2 $folder", "DestinationIsFolder", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 no/x.raw", "DestinationFolderNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Convert-Qcow2Image empty.qcow2 text.qcow2 -DestinationFormat Raw", "DestinationExists", ErrorCategory.ResourceExists)]
    [InlineData("Convert-Qcow2Image empty.qcow2 empty.qcow2 -DestinationFormat Raw -Force", "DestinationIsSource", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.hdd", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.QED", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.ova", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.raw.GZ", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2.xz 1MB", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.hdd 1MB", "DestinationFormatUnsupported", ErrorCategory.InvalidArgument)]
    [InlineData("Start-Qcow2NbdServer luks.qcow2 -Port 0", "PassphraseRequired", ErrorCategory.AuthenticationError)]
    [InlineData("Start-Qcow2NbdServer empty.qcow2 -Port 0 -Address 203.0.113.7", "NbdListenFailed", ErrorCategory.ResourceUnavailable)]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.raw -Compress", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("Convert-Qcow2Image empty.qcow2 env:x", "ProviderNotSupported", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image empty.qcow2 1MB", "DestinationExists", ErrorCategory.ResourceExists)]
    [InlineData("New-Qcow2Image $folder 1MB", "DestinationIsFolder", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image no/x.qcow2 1MB", "DestinationFolderNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("New-Qcow2Image env:x 1MB", "ProviderNotSupported", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -ClusterSizeBytes 3000", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -Version 2 -LazyRefcounts", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -DataFileRaw", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2 1EB", "LimitExceeded", ErrorCategory.LimitsExceeded)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -DataFile text.qcow2", "DestinationExists", ErrorCategory.ResourceExists)]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile no.raw -BackingFormat raw", "BackingFileUnavailable", ErrorCategory.ResourceUnavailable)]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile empty.qcow2 -BackingFormat qcow2 -Preallocation Full", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image empty.qcow2 -BackingFile empty.qcow2 -BackingFormat qcow2 -Force", "DestinationIsSource", ErrorCategory.InvalidArgument)]
    [InlineData("Resize-Qcow2Image empty.qcow2 512", "ShrinkNotAllowed", ErrorCategory.InvalidOperation)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -Encryption Luks", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("New-Qcow2Image x.qcow2 1MB -Encryption Aes", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("Resize-Qcow2Image empty.qcow2 512 -AllowShrink -Preallocation Full", "OptionsContradict", ErrorCategory.InvalidArgument)]
    [InlineData("Resize-Qcow2Image luks.qcow2 1GB -Preallocation Full", "PassphraseRequired", ErrorCategory.AuthenticationError)]
    [InlineData("Resize-Qcow2Image empty.qcow2 1EB", "LimitExceeded", ErrorCategory.LimitsExceeded)]
    [InlineData("Resize-Qcow2Image text.qcow2 512", "NotQcow2", ErrorCategory.InvalidData)]
    [InlineData("Read-Qcow2Image empty.qcow2 -Offset 1PB -Count 1", "RangeOutsideDisk", ErrorCategory.InvalidArgument)]
    [InlineData("Read-Qcow2Image luks.qcow2 -Count 1", "PassphraseRequired", ErrorCategory.AuthenticationError)]
    [InlineData("Read-Qcow2Image empty.qcow2 -OutputFile text.qcow2", "DestinationExists", ErrorCategory.ResourceExists)]
    [InlineData("Read-Qcow2Image empty.qcow2 -OutputFile empty.qcow2 -Force", "DestinationIsSource", ErrorCategory.InvalidArgument)]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 1PB -Value 1", "RangeOutsideDisk", ErrorCategory.InvalidArgument)]
    [InlineData("Write-Qcow2Image missing.qcow2 -Offset 0 -Value 1", "PathNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -InputFile empty.qcow2", "DestinationIsSource", ErrorCategory.InvalidArgument)]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 -Id 1 | Resize-Qcow2Image -SizeBytes 1GB", "OperationNotSupported", ErrorCategory.NotImplemented)]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 -Id 1 | Write-Qcow2Image -Offset 0 -Value 1", "OperationNotSupported", ErrorCategory.NotImplemented)]
    public void Has_a_stable_id_a_category_and_a_target(string script, string id, ErrorCategory category)
    {
        session.With(
            "empty", "luks", "snapshots", "bit-incompatible-named", "backing-missing", "backing-loop", "backing-no-format", "backing-nbd",
            "backing-qcow2", "data-file-missing");
        session.Folder.Write("text.qcow2", "This is no image."u8);
        session.Folder.Write("cut.qcow2", File.ReadAllBytes(Fixtures.Get("snapshots").Path).AsSpan(0, 80));

        SessionResult result = session.Run(script);
        ErrorRecord error = Assert.Single(result.Errors);
        Assert.StartsWith(id + ",Qcow2.PowerShell.Commands.", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.IsType<string>(error.TargetObject);
        Assert.NotEmpty((string)error.TargetObject);
        AdvisedParameters.AssertExist(session, CommandOf(error), error.Exception.Message);
        if (id is not ("DriveNotFound" or "ProviderNotFound" or "ProviderNotSupported"))
        {
            Assert.Contains(session.Folder.Path, error.Exception.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(".tmp", error.Exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_object_without_a_path_is_about_no_folder()
    {
        SessionResult result = session.Run("[Qcow2.Engine.Qcow2ImageInfo]::new(), [Qcow2.Engine.Qcow2Snapshot]::new() | Convert-Qcow2Image -DestinationPath x.raw");
        Assert.Equal(["ObjectIncomplete", "ObjectIncomplete"], result.ErrorIds);
    }

    /// <summary>The advice that holds for other cmdlets, to take a packed file as it is, would send the user round in a circle.</summary>
    [Fact]
    public void A_report_says_how_packed_files_come_into_it()
    {
        using (var packed = new System.IO.Compression.GZipStream(File.Create(session.File("packed.raw.gz")), System.IO.Compression.CompressionLevel.Fastest))
        {
            packed.Write(new byte[1 << 20]);
        }

        ErrorRecord error = Assert.Single(session.Run("Export-Qcow2Report packed.raw.gz packed.html").Errors);
        Assert.StartsWith("NotQcow2,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("Get-Qcow2Image … | Export-Qcow2Report", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(session.Run("Get-Qcow2Image packed.raw.gz | Export-Qcow2Report -DestinationPath packed.html -Force").Errors);
    }

    [LinuxFact]
    public void A_link_to_nothing_is_called_one()
    {
        File.CreateSymbolicLink(session.File("link.qcow2"), session.File("nowhere.qcow2"));
        foreach (string script in (string[])["Get-Qcow2Image link.qcow2", "Test-Qcow2Image -LiteralPath link.qcow2", "Checkpoint-Qcow2Image link.qcow2 x"])
        {
            ErrorRecord error = Assert.Single(session.Run(script).Errors);
            Assert.StartsWith("PathNotFound,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
            Assert.Contains($"is a link to '{session.File("nowhere.qcow2")}'", error.Exception.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Who stores a file has chosen its name; the one who reads of it sits at a terminal or before a log.</summary>
    [LinuxFact]
    public void No_name_of_a_file_writes_to_the_terminal()
    {
        session.With("empty").Run("Copy-Item empty.qcow2 \"evil`e[2J`n.qcow2\"");
        SessionResult result = session.Run("Restore-Qcow2Snapshot evil*.qcow2 none; Test-Qcow2Image evil*.qcow2 -BackingChain -Verbose; Convert-Qcow2Image evil*.qcow2 \"x`e`n.raw\" -Verbose");
        ErrorRecord error = Assert.Single(result.Errors);
        Assert.Contains(@"evil\x1b[2J\x0a.qcow2", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(session.File("evil\u001b[2J\n.qcow2"), error.TargetObject);
        Assert.Contains(result.Verbose, message => message.Contains(@"x\x1b\x0a.raw", StringComparison.Ordinal));
        Assert.All([error.ToString(), .. result.Verbose, .. result.Warnings], message => Assert.DoesNotContain(message, char.IsControl));
        Assert.DoesNotContain("\u001b[2J", session.Show("Resize-Qcow2Image evil*.qcow2 1GB -WhatIf"), StringComparison.Ordinal);
        string question = session.Show("Resize-Qcow2Image evil*.qcow2 512 -AllowShrink");
        Assert.Contains(@"evil\x1b[2J\x0a.qcow2: shrink the disk", question, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b[2J", question, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Optimize-Qcow2Image disk.qcow2", false)]
    [InlineData("Resize-Qcow2Image disk.qcow2 1GB", false)]
    [InlineData("Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1", false)]
    [InlineData("Checkpoint-Qcow2Image disk.qcow2 x", false)]
    [InlineData("Repair-Qcow2Image disk.qcow2 All", false)]
    [InlineData("Set-Qcow2Image disk.qcow2 -BackingFile ''", false)]
    [InlineData("New-Qcow2Image disk.qcow2 1MB -Force", false)]
    [InlineData("Convert-Qcow2Image empty.qcow2 disk.qcow2 -Force", false)]
    [InlineData("Convert-Qcow2Image empty.qcow2 disk.qcow2 -NoCreate", false)]
    [InlineData("Convert-Qcow2Image disk.qcow2 x.raw", true)]
    [InlineData("Read-Qcow2Image disk.qcow2 -Count 1", true)]
    [InlineData("Compare-Qcow2Image empty.qcow2 disk.qcow2", true)]
    [InlineData("Test-Qcow2Image disk.qcow2", true)]
    public void Of_an_image_in_use_advises_what_the_cmdlet_has(string script, bool canBeShared)
    {
        session.With("empty").Run("New-Qcow2Image disk.qcow2 64MB -Force");
        using Qcow2Image user = Qcow2Image.Open(session.File("disk.qcow2"), new Qcow2OpenOptions { Writable = true });
        ErrorRecord error = Assert.Single(session.Run(script).Errors);
        Assert.StartsWith("ImageLocked,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.StartsWith(session.File("disk.qcow2") + ": ", error.Exception.Message, StringComparison.Ordinal);
        Assert.Equal(canBeShared, error.Exception.Message.Contains("-ForceShare", StringComparison.Ordinal));
        AdvisedParameters.AssertExist(session, CommandOf(error), error.Exception.Message);
    }

    [Theory]
    [InlineData("Compare-Qcow2Image empty.qcow2 luks.qcow2", "-DifferencePassphrase")]
    [InlineData("Compare-Qcow2Image luks.qcow2 empty.qcow2", "-Passphrase")]
    [InlineData("Convert-Qcow2Image luks.qcow2 x.raw", "-Passphrase")]
    [InlineData("New-Qcow2Image tiny.qcow2 512 -Force | Convert-Qcow2Image -DestinationPath luks.qcow2 -NoCreate", "-DestinationPassphrase")]
    [InlineData("Convert-Qcow2Image backing-no-format.qcow2 x.raw", "-BackingFormat qcow2")]
    [InlineData("Set-Qcow2Image backing-no-format.qcow2 empty.qcow2 -BackingFormat qcow2", "Set-Qcow2Image -MetadataOnly")]
    [InlineData("Get-Qcow2Image cut.qcow2", "Test-Qcow2Image")]
    public void Advises_the_parameter_that_is_about_the_file(string script, string advice)
    {
        session.With("empty", "luks", "backing-no-format");
        session.Folder.Write("cut.qcow2", File.ReadAllBytes(Fixtures.Get("snapshots").Path).AsSpan(0, 80));
        ErrorRecord error = Assert.Single(session.Run(script).Errors);
        Assert.Contains(advice, error.Exception.Message, StringComparison.Ordinal);
        AdvisedParameters.AssertExist(session, CommandOf(error), error.Exception.Message);
    }

    [Fact]
    public void What_the_engine_says_of_arguments_is_no_trouble_with_a_path()
    {
        session.With("empty");
        foreach ((string script, string id) in new[]
        {
            ("Checkpoint-Qcow2Image empty.qcow2 ('x' * 300)", "SnapshotNameInvalid"),
            ("Checkpoint-Qcow2Image empty.qcow2 ([string][char]0xd800)", "SnapshotNameInvalid"),
            ("Checkpoint-Qcow2Image empty.qcow2 old; Rename-Qcow2Snapshot empty.qcow2 old ('x' * 300)", "SnapshotNameInvalid"),
            ("$p = [securestring]::new(); $p.AppendChar([char]0xd800); New-Qcow2Image l.qcow2 4MB -Encryption Luks -Passphrase $p", "PassphraseInvalid"),
            ("$p = [securestring]::new(); $p.AppendChar([char]0xd800); Read-Qcow2Image empty.qcow2 -Count 1 -Passphrase $p", "PassphraseInvalid"),
            ("$p = [securestring]::new(); $p.AppendChar('x'); New-Qcow2Image l.qcow2 4MB -Passphrase $p", "OptionsContradict"),
            ("Optimize-Qcow2Image empty.qcow2 -CompressionLevel 5", "OptionsContradict"),
            ("Convert-Qcow2Image empty.qcow2 y.qcow2 -CompressionLevel 5", "OptionsContradict"),
        })
        {
            ErrorRecord error = Assert.Single(session.Run(script).Errors);
            Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
            Assert.Equal(ErrorCategory.InvalidArgument, error.CategoryInfo.Category);
            Assert.Contains(session.Folder.Path, error.Exception.Message, StringComparison.Ordinal);
            AdvisedParameters.AssertExist(session, CommandOf(error), error.Exception.Message);
        }
    }

    private static string CommandOf(ErrorRecord error) => error.InvocationInfo.MyCommand.Name;

    [Fact]
    public void One_bad_file_among_many_does_not_end_the_pipeline()
    {
        session.With("empty", "v2");
        session.Folder.Write("text.qcow2", "This is no image."u8);
        SessionResult result = session.Run("'v2.qcow2', 'text.qcow2', 'missing.qcow2', 'empty.qcow2' | Get-Qcow2Image");
        Assert.Equal([2, 3], result.Of<Qcow2ImageInfo>().Select(image => image.Version));
        Assert.Equal(["NotQcow2", "PathNotFound"], result.ErrorIds);
    }

    [Fact]
    public void The_chain_is_emitted_down_to_where_it_breaks()
    {
        SessionResult result = session.With("backing-missing").Run("Get-Qcow2Image backing-missing.qcow2 -BackingChain");
        Assert.Single(result.Output);
        Assert.Equal(["BackingFileUnavailable"], result.ErrorIds);
    }

    [Fact]
    public void A_missing_file_can_be_caught_as_everywhere_in_PowerShell()
    {
        const string Script = "try { Get-Qcow2Image -LiteralPath no.qcow2 -ErrorAction Stop } catch [Management.Automation.ItemNotFoundException] { 'caught' }";
        Assert.Equal("caught", Assert.Single(session.Run(Script).Output).BaseObject);
    }

    [Theory]
    [InlineData("Get-Qcow2Extent empty.qcow2 -ConfineTo . -ReferencePolicy Forbid", "ParameterConflict")]
    [InlineData("Get-Qcow2Extent empty.qcow2 -ConfineTo ./none", "PathNotFound")]
    [InlineData("Convert-Qcow2Image empty.qcow2, empty.qcow2 x.raw", "DestinationNotUnique")]
    [InlineData("Convert-Qcow2Image empty.qcow2 x.img -TargetIsZero", "ParameterConflict")]
    [InlineData("New-Qcow2Image x.qcow2 -BackingFile empty.qcow2", "MissingMandatoryParameter")]
    [InlineData("Read-Qcow2Image empty.qcow2", "ParameterMissing")]
    [InlineData("Read-Qcow2Image empty.qcow2 -Count 2GB", "CountTooLarge")]
    [InlineData("Read-Qcow2Image empty.qcow2, empty.qcow2 -OutputFile x.raw", "DestinationNotUnique")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0", "ParameterMissing")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -Zero", "ParameterMissing")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -Zero -Discard -Count 1", "ParameterConflict")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -Value 1 -Count 1", "ParameterConflict")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -InputFile none.bin", "PathNotFound")]
    [InlineData("Write-Qcow2Image empty.qcow2 -Offset 0 -InputFile $folder", "InputFileIsFolder")]
    public void Parameters_that_contradict_each_other_end_the_command(string script, string id)
    {
        session.With("empty");
        Assert.Equal(id, session.Run($"try {{ {script} }} catch {{ $_.FullyQualifiedErrorId.Split(',')[0] }}").Output.Single().BaseObject);
    }

    [Fact]
    public void Every_code_of_the_engine_has_a_category()
    {
        foreach (Qcow2ErrorCode code in Enum.GetValues<Qcow2ErrorCode>())
        {
            Assert.NotEqual(ErrorCategory.NotSpecified, ErrorRecords.CategoryOf(code));
            Assert.Equal(code.ToString(), ErrorRecords.From(new Qcow2Exception(code, "x"), "path").FullyQualifiedErrorId);
        }
    }

    [Fact]
    public void A_full_disk_has_an_id_of_its_own()
    {
        foreach (int code in new[] { 28, unchecked((int)0x8007_0070) })
        {
            Assert.Equal("FileTooLarge", ErrorRecords.From(new IOException("Too large.", 27), "path").FullyQualifiedErrorId);
            Assert.Equal("DiskFull", ErrorRecords.From(new IOException("No space left.", code), "path").FullyQualifiedErrorId);
        }

        Assert.Equal("IOError", ErrorRecords.From(new IOException("Broken."), "path").FullyQualifiedErrorId);
        Assert.StartsWith("/disk.qcow2: ", ErrorRecords.OfFile(new UnauthorizedAccessException("Access to the path is denied."), "/disk.qcow2", null).Exception.Message, StringComparison.Ordinal);
        Assert.Equal("AccessDenied", ErrorRecords.From(new UnauthorizedAccessException(), "path").FullyQualifiedErrorId);
    }
}
