using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Tests.Operations;

/// <summary>What a file system cannot hold in one file is refused before the work.</summary>
public sealed class SpaceNeedTests
{
    private const long Limit = uint.MaxValue;

    [Theory]
    [InlineData(5L << 30, 3L << 30, Limit, false, 1)]
    [InlineData(5L << 30, 5L << 30, Limit, true, 1)]
    [InlineData(3L << 30, 3L << 30, Limit, false, 0)] // Nothing is measured that cannot be too long.
    [InlineData(5L << 30, 5L << 30, null, false, 0)]
    public void File_is_measured_only_where_that_matters(long most, long measured, long? limit, bool isRefused, int measurements)
    {
        int count = 0;
        var need = new SpaceNeed("disk.qcow2", most, _ =>
        {
            count++;
            return measured;
        });
        Exception? error = Record.Exception(() => need.EnsureWithin(limit, measure => measure(default)));
        Assert.Equal(isRefused, error is IOException);
        Assert.Equal(measurements, count);
    }

    [Fact]
    public void What_takes_the_most_needs_no_measuring()
        => Assert.Throws<IOException>(() => new SpaceNeed("disk.raw", 5L << 30).EnsureWithin(Limit, _ => Assert.Fail("There is nothing to measure.")));
}
