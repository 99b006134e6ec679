using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Copying;

/// <summary>
/// Where a disk is copied to. A parcel is prepared by any thread, placed when its turn has come, and finished by any thread.
/// </summary>
internal abstract class CopyTarget : IDisposable
{
    /// <summary>What is allocated at once, in bytes; a power of two. No two parcels touch the same one.</summary>
    internal abstract int Unit { get; }

    /// <summary>Most bytes of a parcel; a multiple of the unit.</summary>
    internal abstract int MaxParcelBytes { get; }

    /// <summary>Whether pieces that read as zeros must be written; if not, the destination reads as zeros there already.</summary>
    internal abstract bool WritesZeros { get; }

    /// <summary>
    /// Most threads that write at the same time. Hosts let writes into one file wait for each other: a thread that waits there keeps its processor
    /// busy, and does not read what comes next.
    /// </summary>
    internal virtual int MaxWriters => 1;

    /// <summary>Makes a parcel for this destination.</summary>
    internal abstract CopyParcel NewParcel();

    /// <summary>Whether what is selected of a source is compared with what the destination shows already, zeros of either side included.</summary>
    internal virtual bool ComparesAll => false;

    /// <summary>What must be looked at of a source; less than all of it where the destination has the rest.</summary>
    internal virtual IEnumerable<DiskExtent> Select(IEnumerable<DiskExtent> extents) => extents;

    /// <summary>Where the copy of a disk ends: past its end where the last unit must be written whole.</summary>
    /// <param name="length">The disk's size.</param>
    internal virtual long Reach(long length) => length;

    /// <summary>Fills what lies past the end of the disk in its last unit.</summary>
    /// <param name="offset">The end of the disk.</param>
    /// <param name="buffer">What is to be filled.</param>
    internal virtual void FillTail(long offset, Span<byte> buffer) => buffer.Clear();

    /// <summary>Does what does not depend on the order: finding zeros, compressing.</summary>
    internal virtual void Prepare(CopyParcel parcel)
    {
    }

    /// <summary>Decides where the parcel goes; calls take turns, in the order of the disk.</summary>
    internal virtual void Place(CopyParcel parcel)
    {
    }

    /// <summary>Writes the parcel.</summary>
    internal abstract void Finish(CopyParcel parcel);

    /// <summary>Most bytes of a parcel that is shared and needs no buffer; a multiple of the unit. The work must be stoppable.</summary>
    internal virtual int MaxSharedBytes => 32 << 20;

    /// <summary>
    /// Whether what can be shared goes there unread. If not, it is read, for what the destination has to know of it, and shared in place of being
    /// written; one thread at a time finishes parcels then.
    /// </summary>
    internal virtual bool SharesUnread => true;

    /// <summary>Whether the host is to copy what it cannot share: it takes less time, and nobody looks for zeros.</summary>
    internal virtual bool CopiesInHost => false;

    /// <summary>Shares with the source what the host allows to be shared; null where nothing is.</summary>
    internal SharedExtents? Sharing { get; set; }

    /// <summary>Says whether the destination can share what lies in a file.</summary>
    /// <param name="source">The file.</param>
    /// <param name="refusal">Why not, as the end of a sentence; null if it can.</param>
    /// <returns>The blocks that the host shares whole, in bytes, a power of two; 0 if nothing can be shared.</returns>
    internal virtual int ShareUnit(BlockStorage source, out string? refusal)
    {
        refusal = "its layout does not allow for it";
        return 0;
    }

    /// <summary>Shares what the parcel's piece is in a file, or copies it where the host refuses that.</summary>
    /// <param name="parcel">The parcel.</param>
    /// <param name="sharing">Shares.</param>
    /// <param name="read">Reads a part of the disk, for what is to be copied.</param>
    internal virtual void FinishShared(CopyParcel parcel, SharedExtents sharing, DiskRead read) => throw new NotSupportedException("This destination shares nothing.");

    /// <summary>Writes what is left when all of the disk has been copied: tables, headers, the length of the file. Other threads are done.</summary>
    internal virtual void Complete()
    {
    }

    /// <summary>Does what takes long when the disk has been copied, before the completion, which is short.</summary>
    internal virtual void FillRest(CancellationToken cancellationToken)
    {
    }

    /// <summary>Takes back what was decided for a parcel that was not written, or not to its end.</summary>
    internal virtual void Abandon(CopyParcel parcel)
    {
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what the target itself made.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>Reads a part of a disk.</summary>
/// <param name="offset">Where it starts, in bytes.</param>
/// <param name="buffer">Where it goes.</param>
internal delegate void DiskRead(long offset, Span<byte> buffer);
