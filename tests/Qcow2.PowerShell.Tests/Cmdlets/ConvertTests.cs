using System.Diagnostics;
using System.Management.Automation;
using System.Security;
using System.Security.Cryptography;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ConvertTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public static TheoryData<string> Convertible => Fixtures.Select(fixture =>
        fixture.DiskSha256 is not null && fixture.ReferenceError is null && fixture.Passphrase is null);

    public void Dispose() => _session.Dispose();

    [Theory]
    [MemberData(nameof(Convertible))]
    public void Writes_what_qemu_img_wrote(string name)
    {
        SessionResult result = _session.Run("param($path) Convert-Qcow2Image -LiteralPath $path -DestinationPath disk.raw", Fixtures.Get(name).Path);
        Assert.Empty(result.Errors);
        Assert.Empty(result.Output);
        Assert.Equal(Fixtures.Get(name).DiskSha256, Sha256("disk.raw"));
    }

    [Theory]
    [MemberData(nameof(Fixtures.Encrypted), MemberType = typeof(Fixtures))]
    public void Decrypts_with_the_passphrase_and_with_no_other(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using SecureString right = Secret(fixture.Passphrase!);
        const string Script = "param($path, $secret) Convert-Qcow2Image -LiteralPath $path -DestinationPath disk.raw -Passphrase $secret";
        Assert.Empty(_session.Run(Script, fixture.Path, right).Errors);
        Assert.Equal(fixture.DiskSha256, Sha256("disk.raw"));
    }

    [Fact]
    public void A_wrong_passphrase_leaves_nothing_behind()
    {
        using SecureString wrong = Secret("wrong");
        SessionResult result = _session.With("luks").Run("param($secret) Convert-Qcow2Image luks.qcow2 disk.raw -Passphrase $secret", wrong);
        Assert.Equal(["PassphraseIncorrect"], result.ErrorIds);
        Assert.Equal(["luks.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void WhatIf_leaves_every_byte_as_it_was()
    {
        _session.With("chain-top", "data-file", "snapshots");
        _session.Folder.Write("old.raw", "precious"u8);
        string before = Listing();
        Assert.Empty(_session.Run("Convert-Qcow2Image chain-top.qcow2 new.raw -WhatIf").Errors);
        Assert.Empty(_session.Run("Convert-Qcow2Image chain-top.qcow2 old.raw -Force -WhatIf").Errors);
        Assert.Empty(_session.Run("Get-Qcow2Snapshot snapshots.qcow2 | Convert-Qcow2Image -DestinationPath { $_.Id + '.raw' } -WhatIf").Errors);
        Assert.Equal(before, Listing());
    }

    [Fact]
    public void An_existing_destination_is_replaced_only_with_Force_and_only_when_complete()
    {
        _session.With("zstd", "luks");
        _session.Folder.Write("disk.raw", "precious"u8);
        Assert.Equal(["DestinationExists"], _session.Run("Convert-Qcow2Image zstd.qcow2 disk.raw").ErrorIds);
        Assert.Equal(["PassphraseRequired"], _session.Run("Convert-Qcow2Image luks.qcow2 disk.raw -Force").ErrorIds);
        Assert.Equal("precious", File.ReadAllText(_session.File("disk.raw")));
        Assert.Empty(_session.Run("Convert-Qcow2Image zstd.qcow2 disk.raw -Force").Errors);
        Assert.Equal(Fixtures.Get("zstd").DiskSha256, Sha256("disk.raw"));
    }

    [Theory]
    [InlineData("chain-top", "chain-top.qcow2")]
    [InlineData("chain-top", "chain-middle.qcow2")]
    [InlineData("chain-top", "chain-base.qcow2")]
    [InlineData("backing-raw", "backing-base.raw")]
    [InlineData("data-file", "data-file.raw")]
    public void A_file_that_the_disk_is_read_from_is_no_destination(string fixture, string destination)
    {
        _session.With(fixture);
        string before = Sha256(destination);
        SessionResult result = _session.Run($"Convert-Qcow2Image {fixture}.qcow2 {destination} -DestinationFormat Raw -Force");
        Assert.Equal(["DestinationIsSource"], result.ErrorIds);
        Assert.Equal(before, Sha256(destination));
    }

    [Fact]
    public void A_second_image_does_not_overwrite_the_first_one()
    {
        SessionResult result = _session.With("v3", "zstd").Run("'v3.qcow2', 'zstd.qcow2' | Convert-Qcow2Image -DestinationPath one.raw -Force");
        Assert.Equal(["DestinationNotUnique"], result.ErrorIds);
        Assert.Equal(Fixtures.Get("v3").DiskSha256, Sha256("one.raw"));
    }

    [Fact]
    public void Each_image_can_have_a_destination_of_its_own()
    {
        const string Script = "'v3', 'zstd' | ForEach-Object { [IO.FileInfo] \"$folder/$_.qcow2\" } | Convert-Qcow2Image -DestinationPath { $_.Name + '.raw' } -PassThru";
        IReadOnlyList<Qcow2ImageInfo> images = _session.With("v3", "zstd").Run(Script).Of<Qcow2ImageInfo>();
        Assert.Equal([_session.File("v3.qcow2.raw"), _session.File("zstd.qcow2.raw")], images.Select(image => image.Path));
        Assert.All(images, image => Assert.Equal("raw", image.Format));
        Assert.Equal(Fixtures.Get("zstd").DiskSha256, Sha256("zstd.qcow2.raw"));
    }

    [Fact]
    public void A_snapshot_from_the_pipeline_is_converted_by_its_id()
    {
        _session.With("snapshots").Run("Get-Qcow2Snapshot snapshots.qcow2 twin | Convert-Qcow2Image -DestinationPath { $_.Id + '.raw' }");
        foreach (string id in new[] { "2", "3" })
        {
            Assert.Equal(Fixtures.Get("snapshots").SnapshotSha256[id], Sha256(id + ".raw"));
        }
    }

    [Fact]
    public void Short_work_shows_no_progress()
        => Assert.Empty(_session.With("v3").Run("Convert-Qcow2Image v3.qcow2 disk.raw").Progress);

    [Theory]
    [InlineData("Convert-Qcow2Image slow.qcow2 slow.raw")]
    [InlineData("Convert-Qcow2Image slow.qcow2 slow-copy.qcow2 -Compress")]
    [InlineData("Optimize-Qcow2Image slow.qcow2")]
    public async Task Long_work_shows_progress_and_stops_at_once(string script)
    {
        SlowImage.Write(_session.File("slow.qcow2"));
        using PowerShellPipeline shell = _session.Start(script);
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        var waiting = Stopwatch.StartNew();
        ProgressRecord[] records = [];
        while (!records.Any(IsUnderWay) && waiting.Elapsed < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(50);
            records = [.. shell.Streams.Progress];
        }

        Assert.Contains(records, IsUnderWay);
        Assert.DoesNotContain(Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName), name => name is "slow.raw" or "slow-copy.qcow2");

        shell.StopAtOnce();
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        Assert.Equal(["slow.qcow2"], Directory.GetFiles(_session.Folder.Path).Select(Path.GetFileName));
    }

    private static bool IsUnderWay(ProgressRecord record) => record.StatusDescription.Contains("of 512 GiB", StringComparison.Ordinal);

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
