using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Reports;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class ReportProgressTests
{
    [Fact]
    public void It_says_which_image_and_how_far_after_a_second_and_not_too_often()
    {
        double seconds = 0;
        var progress = new ReportProgress(() => TimeSpan.FromSeconds(seconds)) { Known = 4 };
        seconds = 0.9;
        Assert.Null(progress.Next(1, "a"));
        Assert.Null(progress.Complete());

        seconds = 1;
        ProgressRecord record = progress.Next(2, "b")!;
        Assert.Equal(("Making a report", "b (2 of 4)", 25), (record.Activity, record.StatusDescription, record.PercentComplete));
        seconds = 1.1;
        Assert.Null(progress.Next(3, "c"));

        seconds = 1.3;
        progress.Report(new WorkProgress(50, 100));
        Assert.Equal(62, progress.Next(3, "c")!.PercentComplete);
        progress.BeginImage();
        seconds = 1.6;
        Assert.Equal(75, progress.Next(4, "d")!.PercentComplete);
        Assert.Equal(ProgressRecordType.Completed, progress.Complete()!.RecordType);
    }

    [Fact]
    public void Where_nobody_knows_how_many_there_are_it_gives_no_share()
    {
        var progress = new ReportProgress(() => TimeSpan.FromSeconds(5));
        ProgressRecord record = progress.Next(7, "disk.qcow2")!;
        Assert.Equal(("disk.qcow2", -1), (record.StatusDescription, record.PercentComplete));
    }
}
