namespace Qcow2.Engine.Storage;

/// <summary>
/// Storage whose barriers do nothing, for a file that nobody trusts before it is complete: its owner flushes it once, at the end, and closes it.
/// </summary>
internal sealed class UnflushedStorage(BlockStorage storage) : BorrowedStorage(storage, isWritable: true)
{
    /// <inheritdoc/>
    public override void Flush()
    {
    }
}
