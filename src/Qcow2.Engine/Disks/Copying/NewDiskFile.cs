namespace Qcow2.Engine.Disks.Copying;

/// <summary>A file that a disk is copied into, and that gets its name when it is complete. Whoever gives it up leaves nothing behind.</summary>
internal abstract class NewDiskFile : IDisposable
{
    /// <summary>What the disk's bytes go to.</summary>
    internal abstract CopyTarget Target { get; }

    /// <summary>Does what is left when the disk has been copied.</summary>
    /// <returns>Names of the bitmaps that were left out.</returns>
    internal virtual IReadOnlyList<string> Complete(CancellationToken cancellationToken) => [];

    /// <summary>Brings everything to the disk of the host and gives the file its name.</summary>
    /// <param name="cancellationToken">The last chance to leave everything as it was.</param>
    internal abstract void Commit(CancellationToken cancellationToken);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes what is open.</summary>
    protected abstract void Dispose(bool disposing);
}
