using System.Diagnostics;
using System.Management.Automation;
using System.Security;
using System.Security.Cryptography;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Read-, Write- and Resize-Qcow2Image.</summary>
public sealed class WriteTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public WriteTests() => Ok("New-Qcow2Image disk.qcow2 10MB");

    public void Dispose() => _session.Dispose();

    [Fact]
    public void What_is_written_is_read()
    {
        Ok("Write-Qcow2Image disk.qcow2 -Offset 65535 -Value 1, 2, 3");
        Assert.Equal(new byte[] { 0, 1, 2, 3, 0 }, Read("-Offset 65534 -Count 5"));
        Assert.Equal(new byte[] { 0, 0 }, Read("-Offset (10MB - 2) -Count 100"));
        Assert.Empty(Read("-Offset 10MB -Count 1"));
    }

    [Fact]
    public void Bytes_are_emitted_as_one_array()
    {
        PSObject item = Assert.Single(_session.Run("Read-Qcow2Image disk.qcow2 -Count 3MB").Output);
        Assert.Equal(3 << 20, Assert.IsType<byte[]>(item.BaseObject).Length);
    }

    [Fact]
    public void A_file_is_written_and_read_back()
    {
        byte[] content = new byte[5_000_001];
        new Random(1).NextBytes(content);
        _session.Folder.Write("in.bin", content);
        Ok("Write-Qcow2Image disk.qcow2 -Offset 3MB -InputFile in.bin");
        Ok("Read-Qcow2Image disk.qcow2 -Offset 3MB -Count 5000001 -OutputFile out.bin");
        Assert.Equal(content, File.ReadAllBytes(_session.File("out.bin")));
        Ok("Read-Qcow2Image disk.qcow2 -OutputFile whole.raw");
        byte[] whole = File.ReadAllBytes(_session.File("whole.raw"));
        Assert.Equal(10 << 20, whole.Length);
        Assert.Equal(content, whole.AsSpan(3 << 20, content.Length).ToArray());
        Assert.Equal(-1, whole.AsSpan(0, 3 << 20).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Zeros_and_discarding_take_away_what_was_there()
    {
        Ok("Write-Qcow2Image disk.qcow2 -Offset 0 -Value ([byte[]] @(7) * 200000)");
        Ok("Write-Qcow2Image disk.qcow2 -Offset 1 -Zero -Count 70000");
        byte[] start = Read("-Count 70002");
        Assert.Equal((7, 0, 0, 7), (start[0], start[1], start[70_000], start[70_001]));
        Ok("Write-Qcow2Image disk.qcow2 -Offset 128KB -Discard -Count 64KB");
        Assert.Equal(-1, Read("-Offset 128KB -Count 64KB").AsSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void An_overlay_takes_the_writes_and_its_backing_file_stays()
    {
        Ok("New-Qcow2Image overlay.qcow2 -BackingFile disk.qcow2 -BackingFormat qcow2");
        string before = Sha256("disk.qcow2");
        Ok("Write-Qcow2Image overlay.qcow2 -Offset 100 -Value 9");
        Assert.Equal(before, Sha256("disk.qcow2"));
        Assert.Equal(["ReferenceForbidden"], _session.Run("Write-Qcow2Image overlay.qcow2 -Offset 0 -Value 9 -ReferencePolicy Forbid").ErrorIds);
    }

    [Fact]
    public void An_encrypted_disk_is_written_with_its_passphrase()
    {
        using var secret = new SecureString();
        Fixtures.Get("luks").Passphrase!.ToList().ForEach(secret.AppendChar);
        const string Script = "param($secret) Write-Qcow2Image luks.qcow2 -Offset 5 -Value 1, 2 -Passphrase $secret; Read-Qcow2Image luks.qcow2 -Offset 5 -Count 2 -Passphrase $secret";
        SessionResult result = _session.With("luks").Run(Script, secret);
        Assert.Equal(new byte[] { 1, 2 }, Assert.Single(result.Of<byte[]>()));
        Assert.Equal(["PassphraseRequired"], _session.Run("Write-Qcow2Image luks.qcow2 -Offset 5 -Value 1").ErrorIds);
    }

    [Fact]
    public void A_snapshot_is_read_by_its_id()
    {
        byte[] active = Assert.Single(_session.With("snapshots").Run("Read-Qcow2Image snapshots.qcow2 -Count 64KB").Of<byte[]>());
        byte[] old = Assert.Single(_session.Run("Get-Qcow2Snapshot snapshots.qcow2 -Id 1 | Read-Qcow2Image -Count 64KB").Of<byte[]>());
        Assert.Equal(old, Assert.Single(_session.Run("Read-Qcow2Image snapshots.qcow2 -Count 64KB -SnapshotName 1").Of<byte[]>()));
        Assert.Equal(old.Length, active.Length);
        Ok("Get-Qcow2Snapshot snapshots.qcow2 | Read-Qcow2Image -OutputFile { $_.Id + '.raw' }");
        Assert.Equal(Fixtures.Get("snapshots").SnapshotSha256["1"], Sha256("1.raw"));
    }

    [Fact]
    public void PassThru_emits_the_image()
    {
        Assert.Single(_session.Run("Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -PassThru").Of<Qcow2ImageInfo>());
        Assert.Equal(20L << 20, Assert.Single(_session.Run("Resize-Qcow2Image disk.qcow2 20MB -PassThru").Of<Qcow2ImageInfo>()).Size);
    }

    [Fact]
    public void A_disk_grows_and_shrinks()
    {
        Ok("Write-Qcow2Image disk.qcow2 -Offset 9MB -Value 5");
        Ok("Get-Qcow2Image disk.qcow2 | Resize-Qcow2Image -SizeBytes 1GB");
        Assert.Equal(5, Read("-Offset 9MB -Count 1")[0]);
        Ok("Resize-Qcow2Image disk.qcow2 5MB -AllowShrink -Confirm:$false");
        Ok("Resize-Qcow2Image disk.qcow2 10MB");
        Assert.Equal(0, Read("-Offset 9MB -Count 1")[0]);
    }

    [Fact]
    public void Shrinking_asks_unless_told_not_to()
    {
        string before = Sha256("disk.qcow2");
        // Nobody is there to answer.
        Assert.NotEmpty(_session.Run("try { Resize-Qcow2Image disk.qcow2 5MB -AllowShrink -ErrorAction Stop } catch { 'asked' }").Output);
        Assert.Equal(before, Sha256("disk.qcow2"));
        Ok("$ConfirmPreference = 'None'; Resize-Qcow2Image disk.qcow2 5MB -AllowShrink; $ConfirmPreference = 'High'");
        Ok("Resize-Qcow2Image disk.qcow2 6MB");
    }

    [Fact]
    public void WhatIf_leaves_every_byte_as_it_was()
    {
        string before = Sha256("disk.qcow2");
        foreach (string script in new[]
        {
            "Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1 -WhatIf",
            "Write-Qcow2Image disk.qcow2 -Offset 0 -Zero -Count 1MB -WhatIf",
            "Resize-Qcow2Image disk.qcow2 20MB -WhatIf",
            "Resize-Qcow2Image disk.qcow2 5MB -AllowShrink -WhatIf",
            "Resize-Qcow2Image disk.qcow2 20MB -Preallocation Full -WhatIf",
            "New-Qcow2Image x.qcow2 1MB -Encryption Luks -Passphrase ([securestring]::new()) -WhatIf",
            "Read-Qcow2Image disk.qcow2 -OutputFile x.raw -WhatIf",
        })
        {
            Assert.Empty(_session.Run(script).Errors);
        }

        Assert.Equal(before, Sha256("disk.qcow2"));
        Assert.Equal(["disk.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("Write-Qcow2Image disk.qcow2 -Offset 0 -Value 1")]
    [InlineData("Resize-Qcow2Image disk.qcow2 20MB")]
    [InlineData("Read-Qcow2Image disk.qcow2 -Count 1")]
    public void An_image_in_use_is_refused(string script)
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // Locks of QEMU's kind exist there.
        }

        using var user = Qcow2Image.Open(_session.File("disk.qcow2"), new Qcow2OpenOptions { Writable = true });
        Assert.Equal(["ImageLocked"], _session.Run(script).ErrorIds);
    }

    [Fact]
    public async Task A_long_read_shows_progress_and_stops_at_once()
    {
        SlowImage.Write(_session.File("slow.qcow2"));
        using PowerShellPipeline shell = _session.Start("Read-Qcow2Image slow.qcow2 -OutputFile slow.raw");
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        var waiting = Stopwatch.StartNew();
        while (shell.Streams.Progress.Count < 2 && waiting.Elapsed < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(50);
        }

        Assert.Equal("Reading slow.qcow2", shell.Streams.Progress[0].Activity);
        shell.StopAtOnce();
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        Assert.Empty(Directory.GetFiles(_session.Folder.Path, "*slow.raw*"));
    }

    [Fact]
    public async Task A_long_creation_shows_progress_and_stops_at_once()
    {
        using PowerShellPipeline shell = _session.Start("New-Qcow2Image slow.qcow2 120GB -ClusterSizeBytes 512 -Preallocation Metadata");
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        var waiting = Stopwatch.StartNew();
        while (shell.Streams.Progress.Count < 2 && waiting.Elapsed < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(50);
        }

        Assert.Equal("Creating slow.qcow2", shell.Streams.Progress[0].Activity);
        Assert.Contains(" of 120 GiB", shell.Streams.Progress[1].StatusDescription);
        shell.StopAtOnce();
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        Assert.Empty(Directory.GetFiles(_session.Folder.Path, "*slow.qcow2*"));
    }

    private void Ok(string script) => Assert.Empty(_session.Run(script).Errors);

    private byte[] Read(string range) => Assert.Single(_session.Run($"Read-Qcow2Image disk.qcow2 {range}").Of<byte[]>());

    private string Sha256(string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_session.File(name))));
}
