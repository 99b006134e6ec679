using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class ViewTests(ModuleSession session) : IClassFixture<ModuleSession>
{
    [Theory]
    [InlineData("Get-Qcow2Image zstd.qcow2", @"\n\s+1 MiB\s+\d+ KiB\s+0 zstd\.qcow2\s+zstd\s*\n")]
    [InlineData("Get-Qcow2Image bit-corrupt.qcow2", @"bit-corrupt\.qcow2\s+corrupt")]
    [InlineData("Get-Qcow2Image luks.qcow2", @"luks\.qcow2\s+encrypted \(LUKS\)")]
    [InlineData("Get-Qcow2Image aes-v2.qcow2", @"aes-v2\.qcow2\s+v2, encrypted \(AES\)")]
    [InlineData("Get-Qcow2Image chain-top.qcow2 -BackingChain", @" chain-top\.qcow2\s+overlay[^└]* └ chain-middle\.qcow2[^└]*   └ chain-base\.qcow2")]
    [InlineData("Get-Qcow2Image data-file-raw.qcow2", @"raw data file")]
    [InlineData("Get-Qcow2Image bitmaps.qcow2", @"4 bitmaps")]
    [InlineData("Get-Qcow2Snapshot snapshots.qcow2 -Id 3", @"\n\s+3 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\s+400 KiB\s+-\s+- twin")]
    [InlineData("Get-Qcow2Extent extl2.qcow2", @"0x10800\s+2 KiB Data\s+0x60800 extl2\.qcow2")]
    [InlineData("Get-Qcow2Extent zstd.qcow2 -Length 1", @"Data, compressed")]
    [InlineData("(Get-Qcow2Image bitmaps.qcow2).Bitmaps", @"512 B True\s+False\s+fine")]
    [InlineData("(Get-Qcow2Image luks.qcow2).Luks", @"CipherAlgorithm\s+: aes-256")]
    [InlineData("(Get-Qcow2Image luks-slots.qcow2).Luks.Slots", @"5 True\s+\d+\s+4000\s+0x51000")]
    [InlineData("(Get-Qcow2Image bit-compatible-unknown.qcow2).Header", @"CompatibleFeatures\s+: bit 9")]
    [InlineData("(Get-Qcow2Image extension-unknown.qcow2).Header.Extensions", @"unknown 0x12345678\s+25 ")]
    public void Shows_what_a_person_wants_to_know(string script, string pattern)
    {
        session.With("zstd", "bit-corrupt", "luks", "aes-v2", "chain-top", "data-file-raw", "bitmaps", "snapshots", "extl2", "luks-slots",
            "bit-compatible-unknown", "extension-unknown");
        Assert.Matches(pattern, session.Show(script));
    }

    [Theory]
    [InlineData("[Qcow2.Engine.Qcow2ImageInfo] @{ Path = \"/x/$args\"; BackingFile = \"$args\"; Format = \"$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2Snapshot] @{ Path = \"/x/$args\"; Name = \"$args\"; Id = \"$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2Extent] @{ Path = \"/x/$args\"; FilePath = \"/x/$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2Partition] @{ Path = \"/x/$args\"; SnapshotName = \"$args\"; FileSystemLabel = \"$args\"; FileSystem = \"$args\"; Type = \"$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2Partition] @{ Path = \"/x/$args\"; Label = \"$args\"; GptType = \"$args\"; FileSystemUuid = \"$args\"; Problems = @(\"$args\") } | Format-List")]
    [InlineData("[Qcow2.Engine.Qcow2ImagePicture] @{ Path = \"/x/$args\"; SnapshotName = \"$args\"; SnapshotId = \"$args\"; Width = 200; Legend = @([Qcow2.Engine.Qcow2PictureLegend] @{ Sign = '1'; Depth = 1; FilePath = \"/x/$args\" }) }")]
    [InlineData("[Qcow2.Engine.Qcow2Bitmap] @{ Path = \"/x/$args\"; Name = \"$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2KeySlot] @{ Path = \"/x/$args\"; CipherMode = \"$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2CheckResult] @{ Path = \"/x/$args\"; Findings = @([Qcow2.Engine.Qcow2CheckFinding] @{ Message = \"$args\" }) }")]
    [InlineData("[Qcow2.Engine.Qcow2CompareResult] @{ Path = \"/x/$args\"; DifferencePath = \"/y/$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2MeasureResult] @{ Path = \"/x/$args\" }")]
    [InlineData("[Qcow2.Engine.Qcow2CheckFinding] @{ Message = \"$args\" }")]
    public void Lets_no_control_character_through(string script)
    {
        string shown = session.Show(script, "evil\u001b]0;title\u0007\u202edne");
        Assert.Contains("evil", shown, StringComparison.Ordinal);
        Assert.DoesNotContain(shown, character => character is '\u001b' or '\u0007' or '\u202e');
    }

    /// <summary>A row for each sound image, and room for what is wrong with others, where a window is narrow.</summary>
    [Fact]
    public void Checks_fit_into_80_columns()
    {
        string shown = session.Show(
            "[Qcow2.Engine.Qcow2CheckResult] @{ Path = '/x/web-database-01.qcow2'; IsHealthy = $true; FindingCount = 1; Findings = @([Qcow2.Engine.Qcow2CheckFinding] @{ Message = 'Good to know.' }) }, "
            + "[Qcow2.Engine.Qcow2CheckResult] @{ Path = '/x/b.qcow2'; FindingCount = 1; Findings = @([Qcow2.Engine.Qcow2CheckFinding] @{ Severity = 'Corruption'; Message = 'Some entry is wrong.' }) } | Out-String -Width 80");
        Assert.DoesNotContain("Good to know", shown, StringComparison.Ordinal);
        Assert.Matches(@"\nTrue\s+0\s+0\s+0 web-database-01\.qcow2\s*\nFalse\s+0\s+0\s+0 b\.qcow2\s+Some entry is wrong\.", shown);
    }

    [Theory]
    [InlineData(0L, "0 B")]
    [InlineData(1023L, "1023 B")]
    [InlineData(1024L, "1 KiB")]
    [InlineData(197_632L, "193 KiB")]
    [InlineData(1_567_621L, "1.49 MiB")]
    [InlineData(21_474_836_480L, "20 GiB")]
    [InlineData(1L << 40, "1 TiB")]
    [InlineData((1L << 40) - 1, "1 TiB")]
    [InlineData(long.MaxValue, "8 EiB")]
    public void Sizes_have_three_digits_and_a_unit(long bytes, string expected)
        => Assert.Equal(expected, DisplayText.Size(bytes).Replace(',', '.'));
}
