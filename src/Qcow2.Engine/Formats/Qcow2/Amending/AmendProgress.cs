namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>How far an amendment is, whose steps count different things: each is told as a share of the disk's size.</summary>
/// <param name="progress">Who is told; null for nobody.</param>
/// <param name="size">Size of the disk, in bytes.</param>
/// <param name="steps">Steps that take long.</param>
internal sealed class AmendProgress(IProgress<WorkProgress>? progress, long size, int steps)
{
    private readonly long _total = Math.Max(1, size);
    private int _step;

    /// <summary>Begins the next step.</summary>
    internal void Next() => _step++;

    /// <summary>Tells how much of the present step is done.</summary>
    internal void Report(long done, long total)
    {
        double share = (Math.Max(0, _step - 1) + ((double)done / Math.Max(1, total))) / Math.Max(1, steps);
        progress?.Report(new WorkProgress((long)(_total * Math.Min(1, share)), _total));
    }
}
