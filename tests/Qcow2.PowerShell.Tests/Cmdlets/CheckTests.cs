using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Test- and Repair-Qcow2Image.</summary>
public sealed class CheckTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Fact]
    public void A_sound_image_is_healthy()
    {
        Qcow2CheckResult result = Assert.Single(_session.With("v3").Run("Test-Qcow2Image v3.qcow2").Of<Qcow2CheckResult>());
        Assert.True(result.IsHealthy);
        Assert.Equal(_session.File("v3.qcow2"), result.Path);
        Assert.Empty(result.Findings);
        Assert.True(Assert.Single(_session.Run("Get-Qcow2Image v3.qcow2 | Test-Qcow2Image -Quiet").Of<bool>()));
    }

    [Fact]
    public void Damage_is_a_finding_and_no_error()
    {
        Break("leaky.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0));
        Break("torn.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0x100_0000_0000));
        SessionResult result = _session.Run("Test-Qcow2Image *.qcow2");
        Assert.Empty(result.Errors);
        Qcow2CheckResult[] verdicts = [.. result.Of<Qcow2CheckResult>()];
        Assert.Equal((0, 1, 4096), (verdicts[0].Corruptions, verdicts[0].Leaks, verdicts[0].LeakedBytes));
        Assert.Contains(verdicts[1].Findings, finding => finding.Kind == Qcow2CheckFindingKind.PastEndOfFile);
        Assert.Equal([false, false], _session.Run("Test-Qcow2Image *.qcow2 -Quiet").Of<bool>());
    }

    [Fact]
    public void What_is_no_image_is_an_error_but_with_quiet_not_healthy()
    {
        _session.Folder.Write("text.qcow2", "no image at all"u8);
        Assert.Equal(["NotQcow2"], _session.Run("Test-Qcow2Image text.qcow2").ErrorIds);
        SessionResult quiet = _session.Run("Test-Qcow2Image text.qcow2 -Quiet");
        Assert.Empty(quiet.Errors);
        Assert.False(Assert.Single(quiet.Of<bool>()));
        Assert.Equal(["PathNotFound"], _session.Run("Test-Qcow2Image nowhere.qcow2 -Quiet").ErrorIds);
    }

    [Fact]
    public void A_chain_is_checked_from_the_top_down()
    {
        IReadOnlyList<Qcow2CheckResult> chain = _session.With("chain-top", "chain-middle", "chain-base").Run("Test-Qcow2Image chain-top.qcow2 -BackingChain").Of<Qcow2CheckResult>();
        Assert.Equal([0, 1, 2], chain.Select(result => result.Depth));
        Assert.Equal(["chain-top.qcow2", "chain-middle.qcow2", "chain-base.qcow2"], chain.Select(result => Path.GetFileName(result.Path)));
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image chain-top.qcow2 -BackingChain -Quiet").Of<bool>()));
        File.Delete(_session.File("chain-base.qcow2"));
        SessionResult broken = _session.Run("Test-Qcow2Image chain-top.qcow2 -BackingChain");
        Assert.Equal(2, broken.Output.Count);
        Assert.Equal(["BackingFileUnavailable"], broken.ErrorIds);
        Assert.False(Assert.Single(_session.Run("Test-Qcow2Image chain-top.qcow2 -BackingChain -Quiet").Of<bool>()));
    }

    [Fact]
    public void A_raw_base_that_looks_like_an_image_is_warned_of()
    {
        _session.With("backing-raw");
        string raw = Directory.GetFiles(_session.Folder.Path).Single(file => !file.EndsWith(".qcow2", StringComparison.Ordinal));
        Assert.Empty(_session.Run("Test-Qcow2Image backing-raw.qcow2 -BackingChain").Warnings);
        using (FileStream file = File.OpenWrite(raw))
        {
            file.Write([(byte)'Q', (byte)'F', (byte)'I', 0xfb]);
        }

        Assert.Contains("raw disk", Assert.Single(_session.Run("Test-Qcow2Image backing-raw.qcow2 -BackingChain").Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void An_untrusted_image_may_name_no_other_file()
    {
        _session.With("backing-qcow2", "data-file", "v3");
        Assert.Equal([false, false, true], _session.Run("Test-Qcow2Image backing-qcow2.qcow2, data-file.qcow2, v3.qcow2 -Untrusted -Quiet").Of<bool>());
        Assert.Contains(
            "names a backing file",
            Assert.Single(Assert.Single(_session.Run("Test-Qcow2Image backing-qcow2.qcow2 -Untrusted").Of<Qcow2CheckResult>()).Findings).Message,
            StringComparison.Ordinal);
        Assert.Equal(["ParameterConflict"], _session.Run("Test-Qcow2Image v3.qcow2 -Untrusted -BackingChain").ErrorIds);
    }

    [Fact]
    public void Data_is_read_on_request()
    {
        BuiltImage image = new ImageBuilder { CompressedStreams = [[1, 2, 3]], CompressedContents = [new byte[4096]] }.Build();
        _session.Folder.Write("bad.qcow2", image.Bytes);
        Assert.Equal([true, false], _session.Run("Test-Qcow2Image bad.qcow2 -Quiet; Test-Qcow2Image bad.qcow2 -Quiet -ReadData").Of<bool>());
    }

    [Fact]
    public void Leaks_are_repaired_without_a_question()
    {
        Break("leaky.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0));
        Qcow2CheckResult result = Assert.Single(_session.Run("Repair-Qcow2Image leaky.qcow2 -Mode Leaks").Of<Qcow2CheckResult>());
        Assert.True(result.IsHealthy);
        Assert.Equal((1, 0, 1), (result.LeaksFixed, result.CorruptionsFixed, result.Before!.Leaks));
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image leaky.qcow2 -Quiet").Of<bool>()));
    }

    [Fact]
    public void Repairing_all_asks_unless_told_not_to_and_tells_before_and_after()
    {
        Break("torn.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0x100_0000_0000));
        byte[] before = File.ReadAllBytes(_session.File("torn.qcow2"));
        // Nobody is there to answer.
        Assert.NotEmpty(_session.Run("try { Repair-Qcow2Image torn.qcow2 -Mode All -ErrorAction Stop } catch { 'asked' }").Output);
        Assert.Equal(before, File.ReadAllBytes(_session.File("torn.qcow2")));

        Qcow2CheckResult result = Assert.Single(_session.Run("Repair-Qcow2Image torn.qcow2 -Mode All -Confirm:$false").Of<Qcow2CheckResult>());
        Assert.True(result.IsHealthy);
        Assert.True(result.Before!.Corruptions > 0 && result.CorruptionsFixed == result.Before.Corruptions);
    }

    [Fact]
    public void WhatIf_leaves_every_byte_as_it_was()
    {
        Break("torn.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0x100_0000_0000).SetU64(image.L2EntryOffset(0), 0));
        byte[] before = File.ReadAllBytes(_session.File("torn.qcow2"));
        string shown = _session.Show("Repair-Qcow2Image torn.qcow2 -Mode All -WhatIf; Repair-Qcow2Image torn.qcow2 -Mode Leaks -WhatIf");
        Assert.Equal(before, File.ReadAllBytes(_session.File("torn.qcow2")));
        Assert.Contains("2 leaked clusters (8 KiB)", shown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_sound_image_is_not_written_by_a_repair()
    {
        byte[] before = File.ReadAllBytes(_session.With("v3").File("v3.qcow2"));
        Assert.True(Assert.Single(_session.Run("Repair-Qcow2Image v3.qcow2 -Mode All").Of<Qcow2CheckResult>()).IsHealthy);
        Assert.Equal(before, File.ReadAllBytes(_session.File("v3.qcow2")));
    }

    [Fact]
    public void An_image_in_use_is_neither_checked_nor_repaired()
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // Locks of QEMU's kind exist there.
        }

        using var user = Qcow2Image.Open(_session.With("v3").File("v3.qcow2"), new Qcow2OpenOptions { Writable = true });
        Assert.Equal(["ImageLocked", "ImageLocked"], _session.Run("Test-Qcow2Image v3.qcow2 -Quiet; Repair-Qcow2Image v3.qcow2 -Mode Leaks").ErrorIds);
        Assert.True(Assert.Single(_session.Run("Test-Qcow2Image v3.qcow2 -Quiet -ForceShare").Of<bool>()));
    }

    [Fact]
    public void A_verdict_reads_well()
    {
        Break("torn.qcow2", image => image.SetU64(image.L2EntryOffset(1), 0x100_0000_0000));
        string table = _session.Show("Test-Qcow2Image torn.qcow2");
        Assert.Contains("Corruptions", table, StringComparison.Ordinal);
        Assert.Contains("guest offset", table, StringComparison.Ordinal);
        Assert.Contains("PastEndOfFile", _session.Show("(Test-Qcow2Image torn.qcow2).Findings"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_runbook_can_make_a_verdict()
        => Assert.True(Assert.Single(_session.Run("[Qcow2.Engine.Qcow2CheckResult] @{ Path = 'x'; IsHealthy = $true; Findings = @([Qcow2.Engine.Qcow2CheckFinding] @{ Message = 'm' }) }").Of<Qcow2CheckResult>()).IsHealthy);

    private void Break(string name, Func<BuiltImage, BuiltImage> change) => _session.Folder.Write(name, change(new ImageBuilder { DataClusters = 3 }.Build()).Bytes);
}
