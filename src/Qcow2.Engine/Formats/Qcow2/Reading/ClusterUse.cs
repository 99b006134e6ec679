namespace Qcow2.Engine.Formats.Qcow2.Reading;

/// <summary>Holds host clusters in their place until disposed of; see <see cref="ImageResources.UseClusters"/>.</summary>
internal readonly ref struct ClusterUse
{
    private readonly ReaderWriterLockSlim? _lock;

    internal ClusterUse(ReaderWriterLockSlim? clusterUse)
    {
        _lock = clusterUse;
        _lock?.EnterReadLock();
    }

    public void Dispose() => _lock?.ExitReadLock();
}
