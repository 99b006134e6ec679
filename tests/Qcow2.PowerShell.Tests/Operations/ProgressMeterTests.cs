using System.Management.Automation;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Tests.Operations;

public sealed class ProgressMeterTests
{
    private TimeSpan _now;

    [Fact]
    public void Shows_nothing_in_the_first_second()
    {
        ProgressMeter meter = Meter();
        for (int i = 0; i < 99; i++)
        {
            _now = TimeSpan.FromMilliseconds(10 * i);
            Assert.Null(meter.Next(i, 100));
        }

        Assert.Null(meter.Complete());
    }

    [Fact]
    public void Shows_bytes_rate_and_time_left()
    {
        ProgressMeter meter = Meter();
        _now = TimeSpan.FromSeconds(2);
        ProgressRecord record = meter.Next(1L << 30, 4L << 30)!;
        Assert.Equal("Copying", record.Activity);
        Assert.Equal("1 GiB of 4 GiB, 512 MiB/s", record.StatusDescription);
        Assert.Equal(25, record.PercentComplete);
        Assert.Equal(6, record.SecondsRemaining);
        Assert.Equal(ProgressRecordType.Processing, record.RecordType);
    }

    [Fact]
    public void Names_no_sizes_before_the_work_has()
    {
        ProgressMeter meter = Meter();
        _now = TimeSpan.FromSeconds(2);
        ProgressRecord record = meter.Next(0, 0)!;
        Assert.Equal("Starting", record.StatusDescription);
        Assert.Equal(-1, record.PercentComplete);
        Assert.Equal(-1, record.SecondsRemaining);
    }

    [Fact]
    public void Shows_a_few_records_a_second()
    {
        ProgressMeter meter = Meter();
        int shown = 0;
        for (int milliseconds = 0; milliseconds < 11_000; milliseconds++)
        {
            _now = TimeSpan.FromMilliseconds(milliseconds);
            shown += meter.Next(milliseconds, 11_000) is null ? 0 : 1;
        }

        Assert.InRange(shown, 20, 60);
    }

    [Fact]
    public void The_rate_is_that_of_the_last_seconds()
    {
        ProgressMeter meter = Meter();
        long done = 0;
        ProgressRecord? last = null;
        for (int tenth = 0; tenth < 300; tenth++)
        {
            _now = TimeSpan.FromSeconds(tenth / 10.0);
            done += tenth < 150 ? 100L << 20 : 10L << 20;
            last = meter.Next(done, 1L << 40) ?? last;
        }

        Assert.Contains("100 MiB/s", last!.StatusDescription, StringComparison.Ordinal);
    }

    [Fact]
    public void Ends_with_one_completed_record()
    {
        ProgressMeter meter = Meter();
        _now = TimeSpan.FromSeconds(2);
        Assert.NotNull(meter.Next(1, 2));
        Assert.Equal(ProgressRecordType.Completed, meter.Complete()!.RecordType);
        Assert.Null(meter.Complete());
    }

    [Fact]
    public void Says_what_it_waits_for_at_the_end()
    {
        ProgressMeter meter = Meter();
        _now = TimeSpan.FromSeconds(2);
        ProgressRecord record = meter.Next(1 << 20, 1 << 20)!;
        Assert.Contains("waiting for the disk", record.StatusDescription, StringComparison.Ordinal);
        Assert.Equal(100, record.PercentComplete);
        Assert.Equal(-1, record.SecondsRemaining);
    }

    [Fact]
    public void An_unknown_total_is_no_division_by_zero()
    {
        ProgressMeter meter = Meter();
        _now = TimeSpan.FromSeconds(2);
        Assert.Equal(-1, meter.Next(0, 0)!.PercentComplete);
    }

    private ProgressMeter Meter() => new("Copying", () => _now);
}
