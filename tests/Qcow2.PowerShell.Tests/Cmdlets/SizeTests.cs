using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class SizeTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public SizeTests() => Assert.Empty(_session.Run("New-Qcow2Image a.qcow2 10MB; New-Qcow2Image b.qcow2 20MB").Errors);

    public void Dispose() => _session.Dispose();

    [Fact]
    public void A_change_is_taken_from_each_disk()
    {
        SessionResult result = _session.Run("Get-Qcow2Image *.qcow2 | Resize-Qcow2Image -SizeBytes +10MB -PassThru -Verbose");
        Assert.Empty(result.Errors);
        Assert.Equal([20L << 20, 30L << 20], result.Of<Qcow2ImageInfo>().Select(image => image.Size));
        Assert.Equal(
            ["from 10 MiB (10,485,760 bytes) to 20 MiB (20,971,520 bytes), 10 MiB more", "from 20 MiB (20,971,520 bytes) to 30 MiB (31,457,280 bytes), 10 MiB more"],
            result.Verbose.Select(line => line[line.IndexOf("from ", StringComparison.Ordinal)..line.IndexOf("\" on", StringComparison.Ordinal)]));
        Assert.Equal([15L << 20, 25L << 20], Resized("*.qcow2 -5MB -AllowShrink -Confirm:$false"));
        Assert.Equal([15L << 20, 25L << 20], Resized("*.qcow2 '+0'"));
        Assert.Equal([10L << 20, 20L << 20], Resized("*.qcow2 $(-5MB) -AllowShrink -Confirm:$false"));
        Assert.Equal([3L << 29], Resized("a.qcow2 1.5GB"));
        Assert.Equal([3L << 29], Resized("a.qcow2 ('1.5', 'gib' -join '')"));
    }

    [Theory]
    [InlineData("a.qcow2 -5MB", "ShrinkNotAllowed")]
    [InlineData("a.qcow2 -11MB -AllowShrink", "SizeOutOfRange")]
    [InlineData("a.qcow2 +9223372036854775807", "SizeOutOfRange")]
    [InlineData("a.qcow2 40", "ParameterArgumentTransformationError")]
    [InlineData("a.qcow2 1.000", "ParameterArgumentTransformationError")]
    [InlineData("a.qcow2 1,000", "ParameterArgumentTransformationError")]
    [InlineData("a.qcow2 +40", "ParameterArgumentTransformationError")]
    public void What_cannot_be_is_refused_and_changes_nothing(string arguments, string id)
    {
        byte[] before = File.ReadAllBytes(_session.File("a.qcow2"));
        SessionResult result = _session.Run($"try {{ Resize-Qcow2Image {arguments} -ErrorAction Stop }} catch {{ $_.FullyQualifiedErrorId.Split(',')[0] }}");
        Assert.Equal(id, Assert.Single(result.Output).BaseObject);
        Assert.Equal(before, File.ReadAllBytes(_session.File("a.qcow2")));
    }

    [Theory]
    [InlineData("New-Qcow2Image x.qcow2")]
    [InlineData("Measure-Qcow2Image -SizeBytes")]
    public void A_size_is_never_read_otherwise_than_it_was_meant(string command)
    {
        foreach (string size in new[] { "40", "'40'", "1.000", "'10,000'", "'1 000'", "\"1'000\"", "1,000" })
        {
            string script = $"try {{ {command} {size} -ErrorAction Stop; 'taken' }} catch {{ $_.FullyQualifiedErrorId.Split(',')[0] }}";
            Assert.Equal("ParameterArgumentTransformationError", Assert.Single(_session.Run(script).Output).BaseObject);
        }

        Assert.Empty(_session.Run($"{command} 0.048TB").Errors);
    }

    [Fact]
    public void A_bare_number_is_a_size_from_4096_on()
    {
        SessionResult created = _session.Run("New-Qcow2Image c.qcow2 4097");
        Assert.Equal(4608, Assert.Single(created.Of<Qcow2ImageInfo>()).Size);
        SessionResult read = _session.Run("Write-Qcow2Image c.qcow2 -Offset 4096 -Value 0x5a; Read-Qcow2Image c.qcow2 -Offset 4095 -Count 2");
        Assert.Empty(read.Errors);
        Assert.Equal([0, 0x5a], Assert.Single(read.Of<byte[]>()));
        Assert.Equal([20_480L], Resized("c.qcow2 20001"));
        Assert.Equal([(1 << 20) + 512L], Resized("c.qcow2 1048577"));
    }

    [Theory]
    [InlineData("Read-Qcow2Image a.qcow2 -Offset 1 -Count 1")]
    [InlineData("Write-Qcow2Image a.qcow2 -Offset 3 -Zero -Count 1")]
    [InlineData("Get-Qcow2Extent a.qcow2 -Offset 7 -Length 1")]
    [InlineData("Convert-Qcow2Image a.qcow2 a.raw -RateLimit 100MB -SparseSize 4096 -Force")]
    [InlineData("Measure-Qcow2Image -SizeBytes 512 -ClusterSizeBytes 512")]
    public void Other_numbers_of_bytes_may_be_small(string script) => Assert.Empty(_session.Run(script).Errors);

    [Fact]
    public void A_mock_can_look_at_the_size()
    {
        const string Script = """
            $change = [Qcow2.PowerShell.Infrastructure.NewDiskSize] 80GB
            $change -eq 80GB; $change -eq 81GB; "$change"
            """;
        Assert.Equal([true, false, "85899345920"], _session.Run(Script).Output.Select(item => item.BaseObject));
    }

    private IEnumerable<long> Resized(string arguments)
    {
        SessionResult result = _session.Run($"Resize-Qcow2Image {arguments} -PassThru");
        Assert.Empty(result.Errors);
        return result.Of<Qcow2ImageInfo>().Select(image => image.Size);
    }
}
