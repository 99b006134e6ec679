using System.Management.Automation;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>A long operation that counts bytes: work on another thread says how far it is, and the pipeline's thread shows it.</summary>
/// <param name="activity">What goes on, for people.</param>
internal sealed class TrackedOperation(string activity) : IProgress<long>, IProgress<WorkProgress>
{
    private long _done;
    private long _total;

    /// <summary>Bytes done; less than 0 where that is not known.</summary>
    internal long Done
    {
        get => Interlocked.Read(ref _done);
        set => Interlocked.Exchange(ref _done, value);
    }

    /// <summary>Bytes to do.</summary>
    internal long Total
    {
        get => Interlocked.Read(ref _total);
        set => Interlocked.Exchange(ref _total, value);
    }

    /// <summary>Takes the bytes done from the engine.</summary>
    public void Report(long value) => Done = value;

    /// <summary>Takes from the engine how far it is; called by its threads, often.</summary>
    public void Report(WorkProgress value)
    {
        Total = value.BytesTotal;
        Done = value.BytesDone;
    }

    /// <summary>Runs work on a file to its end, on another thread.</summary>
    /// <param name="activity">What goes on, as a participle.</param>
    /// <param name="path">The file.</param>
    /// <param name="work">The work, which says how far it is; it must end soon after its token is cancelled.</param>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal static T Run<T>(
        string activity, string path, Func<IProgress<WorkProgress>, CancellationToken, T> work, Action<ProgressRecord> show, CancellationToken stop)
    {
        var operation = new TrackedOperation($"{activity} {DisplayText.Printable(System.IO.Path.GetFileName(path))}");
        T? result = default;
        operation.Run(token => result = work(operation, token), show, stop);
        return result!;
    }

    /// <summary>Runs work to its end, on another thread.</summary>
    /// <param name="work">The work; it must end soon after its token is cancelled.</param>
    /// <param name="show">Called on this thread with progress.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    /// <exception cref="OperationCanceledException">The pipeline was stopped.</exception>
    internal void Run(Action<CancellationToken> work, Action<ProgressRecord> show, CancellationToken stop)
    {
        var meter = new ProgressMeter(activity);
        try
        {
            LongOperation.Run(work, () => Show(meter.Next(Done, Total)), stop);
        }
        finally
        {
            // A stopped pipeline takes no more records, and takes its progress away itself.
            if (!stop.IsCancellationRequested)
            {
                Show(meter.Complete());
            }
        }

        void Show(ProgressRecord? record)
        {
            if (record is not null)
            {
                show(record);
            }
        }
    }
}
