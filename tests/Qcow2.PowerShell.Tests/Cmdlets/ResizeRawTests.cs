using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using Qcow2.Tests;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Resize-Qcow2Image of raw disks, and what it says of the formats that it does not resize.</summary>
public sealed class ResizeRawTests : IDisposable
{
    private readonly ModuleSession _session = new();
    private readonly byte[] _content = new byte[1 << 20];

    public ResizeRawTests()
    {
        new Random(1).NextBytes(_content);
        _content.AsSpan(0, 4096).Clear(); // No format's mark, and no boot sector's.
        _session.Folder.Write("disk.raw", _content);
    }

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("Resize-Qcow2Image disk.raw 2MB -PassThru", 2 << 20)]
    [InlineData("Resize-Qcow2Image disk.raw +1MB -Preallocation Falloc -PassThru", 2 << 20)]
    [InlineData("Resize-Qcow2Image disk.raw +1MB -Preallocation Full -PassThru", 2 << 20)]
    [InlineData("Resize-Qcow2Image disk.raw 1234567 -PassThru", 1_234_567)]
    [InlineData("Resize-Qcow2Image disk.raw -512KB -AllowShrink -Confirm:$false -PassThru", 512 << 10)]
    [InlineData("Get-Qcow2Image disk.raw | Resize-Qcow2Image -SizeBytes 3MB -PassThru", 3 << 20)]
    [InlineData("Rename-Item disk.raw disk.data; Resize-Qcow2Image disk.data 3MB -SourceFormat Raw -PassThru; Rename-Item disk.data disk.raw", 3 << 20)]
    public void A_raw_disk_gets_the_size(string script, int size)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        Qcow2ImageInfo info = Assert.Single(result.Of<Qcow2ImageInfo>());
        Assert.Equal(("raw", size), (info.Format, info.Size));
        byte[] expected = _content;
        Array.Resize(ref expected, size);
        Assert.Equal(expected, File.ReadAllBytes(_session.File("disk.raw")));
    }

    [Theory]
    [InlineData("$null = New-Qcow2Image new.raw 1MB -Preallocation Falloc", "new.raw")]
    [InlineData("Convert-Qcow2Image disk.raw new.raw -Preallocation Full", "new.raw")]
    [InlineData("$null = New-Qcow2Image new.qcow2 -BackingFile disk.raw -BackingFormat raw -ExtendedL2 -Preallocation Falloc", "new.qcow2")]
    public void A_new_one_has_its_space_from_the_start(string script, string name)
    {
        Assert.Empty(_session.Run(script).Errors);
        using var file = Qcow2.Engine.Storage.LocalFile.OpenRead(_session.File(name));
        Assert.True(!OperatingSystem.IsLinux() || file.AllocatedLength >= 1 << 20);
        SessionResult refused = _session.Run("New-Qcow2Image no.raw 1MB -Preallocation Metadata; New-Qcow2Image no.vhdx 3MB -Preallocation Full");
        Assert.Equal(["OptionsContradict", "OptionsContradict"], refused.ErrorIds);
        Assert.Contains("Qcow2, Raw", refused.Errors[1].Exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Resize-Qcow2Image disk.raw 1KB", "ShrinkNotAllowed", "-AllowShrink")]
    [InlineData("Resize-Qcow2Image disk.raw 1KB -AllowShrink -Preallocation Full", "OptionsContradict", "shrink")]
    [InlineData("Resize-Qcow2Image disk.raw 2MB -Preallocation Metadata", "OptionsContradict", "no tables")]
    [InlineData("Resize-Qcow2Image disk.raw -2MB -AllowShrink", "SizeOutOfRange", "cannot be taken")]
    [InlineData("Rename-Item disk.raw disk.data; Resize-Qcow2Image disk.data 2MB; Rename-Item disk.data disk.raw", "NotQcow2", "-SourceFormat Raw")]
    public void What_cannot_be_is_refused_and_changes_nothing(string script, string id, string words)
    {
        SessionResult result = _session.Run(script);
        Assert.Equal([id], result.ErrorIds);
        Assert.Contains(words, result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Equal(_content, File.ReadAllBytes(_session.File("disk.raw")));
    }

    [Theory]
    [InlineData("Resize-Qcow2Image disk.raw 2MB -WhatIf")]
    [InlineData("Resize-Qcow2Image disk.raw 2MB -Preallocation Full -WhatIf")]
    [InlineData("Resize-Qcow2Image disk.raw 1KB -AllowShrink -WhatIf")]
    public void WhatIf_leaves_every_byte_as_it_was(string script)
    {
        Assert.Empty(_session.Run(script).Errors);
        Assert.Equal(_content, File.ReadAllBytes(_session.File("disk.raw")));
    }

    [Fact]
    public void Shrinking_asks()
    {
        Assert.Equal("asked", Assert.Single(_session.Run("try { Resize-Qcow2Image disk.raw 1KB -AllowShrink -ErrorAction Stop } catch { 'asked' }").Output).BaseObject);
        Assert.Equal(_content, File.ReadAllBytes(_session.File("disk.raw")));
    }

    /// <summary>As a guest could have planted it: the header of an image at the start of its raw disk.</summary>
    [Fact]
    public void What_begins_as_an_image_needs_a_word()
    {
        Assert.Empty(_session.Run("New-Qcow2Image planted.qcow2 1MB; Copy-Item planted.qcow2 planted.raw").Errors);
        byte[] before = File.ReadAllBytes(_session.File("planted.raw"));
        Assert.Equal(["FormatAmbiguous"], _session.Run("Resize-Qcow2Image planted.raw 2MB").ErrorIds);
        Assert.Equal(before, File.ReadAllBytes(_session.File("planted.raw")));
        Assert.Empty(_session.Run("Resize-Qcow2Image planted.raw 2MB -SourceFormat Raw").Errors);
        Assert.Equal(2 << 20, new FileInfo(_session.File("planted.raw")).Length);
        Assert.Equal(before, File.ReadAllBytes(_session.File("planted.raw"))[..before.Length]);
        Assert.Empty(_session.Run("Resize-Qcow2Image planted.raw 3MB -SourceFormat Qcow2").Errors);
        Assert.Equal(3L << 20, Assert.Single(_session.Run("Get-Qcow2Image planted.raw -SourceFormat Qcow2").Of<Qcow2ImageInfo>()).Size);
    }

    [Theory]
    [InlineData("vhd", "a VHD image")]
    [InlineData("vhdx", "a VHDX image")]
    [InlineData("vmdk", "a VMDK image")]
    [InlineData("vdi", "a VDI image")]
    public void Other_formats_are_called_by_their_names(string format, string name)
    {
        Assert.Empty(_session.Run($"New-Qcow2Image disk.{format} 3MB").Errors);
        byte[] before = File.ReadAllBytes(_session.File($"disk.{format}"));
        foreach (string word in new[] { "", $"-SourceFormat {format}" })
        {
            SessionResult result = _session.Run($"Resize-Qcow2Image disk.{format} 5MB {word}");
            Assert.Equal(["NotQcow2"], result.ErrorIds);
            Assert.Contains(name, result.Errors[0].Exception.Message, StringComparison.Ordinal);
            Assert.Contains("Convert-Qcow2Image", result.Errors[0].Exception.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, File.ReadAllBytes(_session.File($"disk.{format}")));
    }

    [Fact]
    public void A_disk_in_use_is_refused()
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // Locks of QEMU's kind exist there.
        }

        using (RawDisk.Open(_session.File("disk.raw"), new Qcow2OpenOptions { Writable = true }))
        {
            Assert.Equal(["ImageLocked"], _session.Run("Resize-Qcow2Image disk.raw 2MB").ErrorIds);
        }

        using (RawDisk.Open(_session.File("disk.raw")))
        {
            Assert.Equal(["ImageLocked"], _session.Run("Resize-Qcow2Image disk.raw 2MB").ErrorIds);
        }

        Assert.Equal(_content, File.ReadAllBytes(_session.File("disk.raw")));
    }
}
