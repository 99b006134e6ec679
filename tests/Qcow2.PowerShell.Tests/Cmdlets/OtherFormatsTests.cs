using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>VHDX, VMDK, VDI, QCOW (version 1), QED and Parallels files, as qemu-img makes them, in every cmdlet that reads a disk.</summary>
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
    [InlineData("qcow", "", null)]
    [InlineData("qed", "", null)]
    [InlineData("parallels", "", null)]
    public void Every_cmdlet_that_reads_a_disk_takes_it(string format, string options, string? subformat)
    {
        string name = $"disk.{format}";
        QemuImg.Run(["convert", "-f", "raw", "-O", format, .. options.Length > 0 ? ["-o", options] : Array.Empty<string>(), _session.File("disk.raw"), _session.File(name)]);
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
        Assert.Contains(subformat ?? format, shown, StringComparison.Ordinal);
        Assert.DoesNotContain("IsExtendedL2", shown, StringComparison.Ordinal); // What only QCOW2 has.

        // QEMU agrees on what the overlay is laid over.
        QemuImg.Run("compare", "-q", "-f", "qcow2", "-F", "raw", _session.File("over.qcow2"), _session.File("disk.raw"));
    }

    [QemuTheory]
    [InlineData("vhdx", "subformat=dynamic")]
    [InlineData("vmdk", "subformat=monolithicSparse")]
    [InlineData("vmdk", "subformat=monolithicFlat")]
    [InlineData("vmdk", "subformat=streamOptimized")]
    [InlineData("vdi", "static=off")]
    [InlineData("qed", "cluster_size=64k")]
    [InlineData("qcow", "encryption=off")]
    [InlineData("parallels", "cluster_size=1M")]
    public void Each_file_of_a_chain_is_checked_in_its_own_format(string format, string options)
    {
        string name = $"disk.{format}";
        QemuImg.Run("convert", "-f", "raw", "-O", format, "-o", options, _session.File("disk.raw"), _session.File(name));
        Assert.Empty(_session.Run($"$null = New-Qcow2Image over.qcow2 -BackingFile {name} -BackingFormat {format}").Errors);
        Qcow2CheckResult[] chain = [.. _session.Run("Test-Qcow2Image over.qcow2 -BackingChain -ReadData").Of<Qcow2CheckResult>()];
        Assert.Equal([("over.qcow2", true), (name, true)], chain.Select(one => (Path.GetFileName(one.Path), one.IsHealthy)));
        Assert.Equal([true, true], _session.Run($"Test-Qcow2Image {name} -Quiet; Get-Qcow2Image {name} | Test-Qcow2Image -Quiet").Of<bool>());
        Assert.Equal(options != "subformat=monolithicFlat", Assert.Single(_session.Run($"Test-Qcow2Image {name} -Quiet -Untrusted").Of<bool>()));
        RequireRefused($"Repair-Qcow2Image {name} -Mode All -Confirm:$false", "NotQcow2", "Convert-Qcow2Image -Salvage");
    }

    [QemuTheory]
    [InlineData("vhdx")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("qcow")]
    [InlineData("qed")]
    [InlineData("parallels")]
    public void What_cannot_be_done_is_said(string format)
    {
        QemuImg.Run("create", "-q", "-f", format, _session.File($"disk.{format}"), "1M");
        foreach ((string command, string id, string words) in new[]
            {
                ($"Resize-Qcow2Image disk.{format} 2MB", "NotQcow2", "not changed in place"),
                ($"Write-Qcow2Image disk.{format} -Offset 0 -Value 1 -Confirm:$false", "NotQcow2", "convert it"),
                ($"Convert-Qcow2Image disk.raw disk.{format} -NoCreate", "UnsupportedFeature", "only be read"),
            })
        {
            RequireRefused(command, id, words);
        }
    }

    [Theory]
    [InlineData("Qcow", "qcow-")]
    [InlineData("Qed", "qed")]
    [InlineData("Parallels", "hds")]
    public void What_is_only_read_is_not_made(string format, string extension)
    {
        RequireRefused($"Convert-Qcow2Image disk.raw out.qcow2 -DestinationFormat {format}", "OperationNotSupported", "only be read");
        RequireRefused($"New-Qcow2Image out.img 1MB -Format {format}", "OperationNotSupported", "only be read");
        if (extension != "qcow-") // A new file of the name of QCOW is a qcow2 image.
        {
            RequireRefused($"Convert-Qcow2Image disk.raw out.{extension}", "DestinationFormatUnsupported", "not written here");
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

    /// <summary>Of these the format of the backing file is not recorded, but for a raw one in QED.</summary>
    [QemuTheory]
    [InlineData("qcow", "raw", true)]
    [InlineData("qcow", "qcow2", true)]
    [InlineData("qed", "raw", false)]
    [InlineData("qed", "qcow2", true)]
    public void Backing_file_is_what_the_image_or_the_caller_says(string format, string backing, bool mustSay)
    {
        QemuImg.Run("convert", "-f", "raw", "-O", backing, _session.File("disk.raw"), _session.File("base.img"));
        QemuImg.RunIn(_session.Folder.Path, "create", "-q", "-f", format, "-b", "base.img", "-F", backing, $"top.{format}");
        Assert.Equal("True", Text($"(Compare-Qcow2Image top.{format} disk.raw -BackingFormat {backing}).AreEqual"));
        Assert.Equal("0 1", Text($"(Get-Qcow2Image top.{format} -BackingChain -BackingFormat {backing}).Depth -join ' '"));
        Assert.Equal(mustSay ? ["BackingFormatMissing"] : [], _session.Run($"Convert-Qcow2Image top.{format} out.qcow2").ErrorIds);
        Assert.Equal(["ReferenceForbidden"], _session.Run($"Convert-Qcow2Image top.{format} other.qcow2 -BackingFormat {backing} -ReferencePolicy Forbid").ErrorIds);
    }

    [QemuFact]
    public void Encrypted_QCOW_of_version_1_is_read_with_its_passphrase()
    {
        QemuImg.Run(
            "convert", "-f", "raw", "-O", "qcow", "--object", "secret,id=s,data=sesame", "-o", "encrypt.format=aes,encrypt.key-secret=s", _session.File("disk.raw"), _session.File("disk.qcow"));
        Assert.Contains("Aes", Text("Get-Qcow2Image disk.qcow | Format-List | Out-String"), StringComparison.Ordinal);
        Assert.Equal(["PassphraseRequired"], _session.Run("Convert-Qcow2Image disk.qcow out.qcow2").ErrorIds);
        Assert.Equal("True", Text("(Compare-Qcow2Image disk.qcow disk.raw -Passphrase (ConvertTo-SecureString sesame -AsPlainText -Force)).AreEqual"));
    }

    /// <summary>VirtualBox's snapshots: each file has the id of the one below and no name.</summary>
    [Fact]
    public void Parents_of_differencing_VDI_files_are_those_that_the_user_names()
    {
        Directory.CreateDirectory(_session.File("Snapshots"));
        Assert.Empty(_session.Run("Convert-Qcow2Image disk.raw base.vdi").Errors);
        byte[] child = File.ReadAllBytes(_session.File("base.vdi"));
        int map = BitConverter.ToInt32(child, 340);
        child.AsSpan(392, 32).CopyTo(child.AsSpan(424)); // The ids of the parent.
        child[76] = 4;
        child[392] ^= 1;
        child.AsSpan(map, 12).Fill(0xff);
        child.AsSpan(388, 4).Clear(); // No block is in the file.
        File.WriteAllBytes(_session.File("Snapshots/one.vdi"), child[..(map + 512)]);
        File.WriteAllText(_session.File("Snapshots/notes.vdi"), "notes");

        foreach (string command in new[]
            {
                "Convert-Qcow2Image Snapshots/one.vdi out.qcow2 -Force", "Compare-Qcow2Image Snapshots/one.vdi disk.raw", "Read-Qcow2Image Snapshots/one.vdi -Count 3",
                "Get-Qcow2Extent Snapshots/one.vdi", "Measure-Qcow2Image Snapshots/one.vdi", "Get-Qcow2Image Snapshots/one.vdi -BackingChain",
            })
        {
            SessionResult result = _session.Run(command);
            Assert.Equal((command, "ParentNotNamed"), (command, string.Join(' ', result.ErrorIds)));
            Assert.Contains("-SourceParentPath", result.Errors[0].Exception.Message, StringComparison.Ordinal);
            AdvisedParameters.AssertExist(_session, command.Split(' ')[0], result.Errors[0].Exception.Message);
            Assert.Empty(_session.Run($"{command} -SourceParentPath Snapshots/*.vdi, base.vdi").Errors);
        }

        Assert.Equal("True", Text("(Compare-Qcow2Image Snapshots/one.vdi disk.raw -SourceParentPath base.vdi).AreEqual"));
        Assert.Equal("True", Text("(Compare-Qcow2Image disk.raw Snapshots/one.vdi -SourceParentPath base.vdi).AreEqual"));
        Assert.Equal("one base", Text("(Get-Qcow2Image Snapshots/one.vdi -BackingChain -SourceParentPath (Get-Item base.vdi) | ForEach-Object { (Split-Path $_.Path -Leaf) -replace '[.]vdi' }) -join ' '"));
        Assert.Equal("False", Text("Test-Qcow2Image Snapshots/one.vdi -Quiet"));
        Assert.Equal("True", Text("Test-Qcow2Image Snapshots/one.vdi -Quiet -SourceParentPath base.vdi"));
        Assert.Equal(["PathNotFound"], _session.Run("Convert-Qcow2Image Snapshots/one.vdi out.qcow2 -Force -SourceParentPath missing.vdi").ErrorIds);

        // An overlay of it is made without a word of the parent, and shows it wherever that is said.
        const string Over = "-BackingFile Snapshots/one.vdi -BackingFormat vdi";
        Assert.Equal(new FileInfo(_session.File("disk.raw")).Length.ToString(System.Globalization.CultureInfo.InvariantCulture), Text($"(New-Qcow2Image over.qcow2 {Over}).Size"));
        Assert.Empty(_session.Run($"New-Qcow2Image over.qcow2 {Over} -Force").Errors);
        Assert.Equal("True", Text("Compare-Qcow2Image over.qcow2 disk.raw -Quiet -SourceParentPath base.vdi"));
        Assert.Equal(["ParentNotNamed"], _session.Run("Compare-Qcow2Image over.qcow2 disk.raw").ErrorIds);
        Assert.Equal(["ParentNotNamed"], _session.Run($"Convert-Qcow2Image disk.raw thin.qcow2 {Over}").ErrorIds);
        Assert.Empty(_session.Run($"Convert-Qcow2Image disk.raw thin.qcow2 {Over} -SourceParentPath base.vdi").Errors);
        Assert.Equal("0", Text("(Get-Qcow2Extent thin.qcow2 -SourceParentPath base.vdi | Where-Object Depth -EQ 0 | Measure-Object).Count"));
        Assert.Equal("True", Text("Compare-Qcow2Image thin.qcow2 disk.raw -Quiet -SourceParentPath base.vdi"));
    }

    [Fact]
    public void Folder_of_a_Parallels_disk_is_no_image()
    {
        Directory.CreateDirectory(_session.File("disk.hdd"));
        File.WriteAllText(_session.File("disk.hdd/DiskDescriptor.xml"), "<?xml version='1.0'?>\n<Parallels_disk_image Version=\"1.0\"/>\n");
        SessionResult result = _session.Run("Convert-Qcow2Image disk.hdd out.qcow2");
        Assert.Equal(["PathIsFolder"], result.ErrorIds);
        Assert.Contains(".hds", result.Errors[0].Exception.Message, StringComparison.Ordinal);
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

    private void RequireRefused(string command, string id, string words)
    {
        SessionResult result = _session.Run(command);
        Assert.Equal((command, id), (command, string.Join(' ', result.ErrorIds)));
        Assert.Contains(words, result.Errors[0].Exception.Message, StringComparison.Ordinal);
    }

    private string Text(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Output).ToString();
    }
}
