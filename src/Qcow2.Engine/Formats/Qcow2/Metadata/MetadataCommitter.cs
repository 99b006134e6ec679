using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// Brings changed metadata to the disk in an order in which a crash at any point leaves at most leaked clusters, and
/// everything that was committed before is there.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>What nothing on the disk refers to yet: guest data (written already), counts that went up, new tables. Flush.</item>
/// <item>References to new refcount blocks: into the table, or into a new one (flush) to which the header then points. Flush.</item>
/// <item>References to all the rest: L2 and L1 entries, the header. Flush.</item>
/// <item>Counts that went down, now that the disk has lost the references; they are written with the next commit.</item>
/// </list>
/// With the first flush the file ends where its last cluster does, though nothing was written there: readers that take whole clusters
/// need that. A crash before it may leave a short end, which this engine and QEMU read as zeros.
/// However much was written since the last commit, it costs two flushes, and one or two more where the refcount structure grew.
/// Each write may be torn between sectors: no entry straddles one, and the header's pointers lie in its first.
/// A commit that failed may have left any of its references on the disk: the next one begins from the first step, and writes
/// nothing that they lead to before what that itself refers to.
/// </remarks>
internal sealed class MetadataCommitter(
    BlockStorage image, BlockStorage data, Qcow2Header header, L1Table l1, L2Cache l2, RefcountStore refcounts)
{
    private bool _isHeaderDirty;
    private readonly object _settling = new();
    private volatile bool _isStopped;
    private volatile bool _isUnsettled;

    /// <summary>The header as it will be once all is committed.</summary>
    internal Qcow2Header Header { get; private set; } = header;

    /// <summary>Told of the clusters that are free from now on.</summary>
    internal Action<IReadOnlyList<long>>? Freed { get; set; }

    /// <summary>Runs an action while nobody reads or writes clusters.</summary>
    internal Action<Action> Exclusively { get; set; } = action => action();

    /// <summary>Metadata that waits to be written, in bytes.</summary>
    internal long DirtyBytes => l2.DirtyBytes + ((long)refcounts.DirtyBlocks << Header.ClusterBits);


    private bool IsDirty => _isHeaderDirty || l1.IsDirty || l2.DirtyBytes > 0 || refcounts.IsDirty;

    /// <summary>Changes the header; the disk has it after the next commit.</summary>
    internal void Change(Func<Qcow2Header, Qcow2Header> change)
    {
        Header = change(Header);
        _isHeaderDirty = true;
    }

    /// <summary>Returns when everything that was written is on the disk. After a failure it can be called again.</summary>
    /// <exception cref="IOException">The host could not write. The image on the disk is consistent, and what was committed before is there.</exception>
    internal void Commit()
    {
        RequireSound();
        if (!IsDirty)
        {
            FlushAll();
            return;
        }

        refcounts.WriteBlocks();
        l2.WriteNewTables();
        ReachEnd();
        FlushAll();
        refcounts.MarkBlocksWritten();
        l2.MarkNewTablesWritten();

        if (l1.IsMoved)
        {
            // After a failed attempt the header on the disk may point here already, so what this refers to comes first.
            l1.WriteMoved(image);
            image.Flush();
        }

        if (refcounts.IsTableMoved)
        {
            refcounts.WriteMovedTable();
            image.Flush();
            Header = Header with { RefcountTableOffset = refcounts.TableOffset, RefcountTableClusters = refcounts.TableClusters };

            // Only the refcount table's fields: the others may refer to what is not there before the next step.
            WriteHeaderFields(HeaderField.RefcountTableOffset, 12);
            image.Flush();
        }
        else if (refcounts.WriteTableEntries())
        {
            image.Flush();
        }

        refcounts.MarkTableWritten();
        l2.WriteTables();
        l1.WriteEntries(image);
        if (l1.IsMoved)
        {
            Header = Header with { L1TableOffset = l1.Offset, L1Size = l1.Count };
            _isHeaderDirty = true;
        }

        if (_isHeaderDirty)
        {
            WriteHeaderFields(0, Header.HeaderLength);
        }

        image.Flush();
        l2.MarkWritten();
        l1.MarkWritten();
        _isHeaderDirty = false;
        ApplyDecrements();
    }

    /// <summary>Lets the file end where the last cluster does that was ever given out. The next flush brings that to the disk.</summary>
    /// <exception cref="IOException">The host could not lengthen the file.</exception>
    internal void ReachEnd() => image.LengthenTo(refcounts.HighWater << Header.ClusterBits);

    /// <summary>Commits, and brings the counts that went down to the disk too, so that nothing is leaked.</summary>
    internal void CommitAll()
    {
        Commit();
        if (refcounts.IsDirty)
        {
            Commit();
        }
    }

    /// <summary>Changes the header on the disk at once, by other means than its fields alone.</summary>
    /// <param name="change">Writes the header and returns it as it is from then on.</param>
    internal void ChangeAtOnce(Func<BlockStorage, Qcow2Header> change)
    {
        CommitAll(); // What waits would be written with the header as it was.
        Header = change(image);
    }

    /// <summary>Refuses to go on with an image that turned out corrupt.</summary>
    /// <exception cref="Qcow2Exception">It did.</exception>
    /// <exception cref="IOException">The host cannot write the header, which has to be written before anything else.</exception>
    internal void RequireSound()
    {
        if (_isStopped)
        {
            throw Qcow2Errors.Corrupt("The image was found to be corrupt and is no longer written; check and repair it.").At(image.Path);
        }

        if (_isUnsettled)
        {
            Settle();
        }
    }

    /// <summary>
    /// Lets the header point to other tables, all at once: disk size, L1 table, refcount table and snapshot table lie in its
    /// first sector, so a crash leaves either all of the old or all of the new.
    /// </summary>
    /// <param name="next">The header with the new tables, which are on the disk.</param>
    /// <exception cref="IOException">The host could not write. The old tables hold.</exception>
    internal void SwitchTables(Qcow2Header next)
    {
        try
        {
            WriteTablePointers(next);
        }
        catch
        {
            // The disk may have either. Nothing is written by the old tables before they are known to hold.
            _isUnsettled = true;
            TrySettle();
            throw;
        }

        Header = next;
    }

    /// <summary>
    /// Withdraws, before the first write, what only a writer that knows about it keeps true (spec: "autoclear_features").
    /// </summary>
    /// <param name="kept">What is kept true.</param>
    /// <exception cref="IOException">The host could not write; calling again tries again.</exception>
    internal void KeepAutoclearFeatures(AutoclearFeatures kept)
    {
        Qcow2Header before = Header;
        if ((before.AutoclearFeatures & ~kept) == 0)
        {
            return;
        }

        try
        {
            Header = before with { AutoclearFeatures = before.AutoclearFeatures & kept };
            WriteHeaderFields(HeaderField.AutoclearFeatures, sizeof(ulong));
            image.Flush();
        }
        catch
        {
            Header = before;
            throw;
        }
    }

    /// <summary>Marks the image corrupt at once, so that nobody writes to it before it is repaired.</summary>
    internal void MarkCorrupt()
    {
        _isStopped = true;
        if (Header.Version >= 3)
        {
            Header = Header with { IncompatibleFeatures = Header.IncompatibleFeatures | IncompatibleFeatures.Corrupt };
            WriteHeaderFields(HeaderField.IncompatibleFeatures, sizeof(ulong));
            image.Flush();
        }
    }

    private void ApplyDecrements()
    {
        if (!refcounts.HasDecrements)
        {
            return;
        }

        var freed = new List<long>();
        try
        {
            Exclusively(() => refcounts.ApplyDecrements(freed.Add));
        }
        finally
        {
            Freed?.Invoke(freed);
        }
    }

    private void Settle()
    {
        lock (_settling)
        {
            if (_isUnsettled)
            {
                WriteTablePointers(Header);
                _isUnsettled = false;
            }
        }
    }

    private void TrySettle()
    {
        try
        {
            Settle();
        }
        catch (IOException)
        {
            // Whoever writes next tries again, and is told if it fails.
        }
    }

    private void WriteTablePointers(Qcow2Header pointing)
    {
        image.Write(HeaderField.Size, pointing.ToArray().AsSpan(HeaderField.Size, Qcow2Header.Version2Length - HeaderField.Size));
        image.Flush();
    }

    private void WriteHeaderFields(int start, int length)
    {
        image.Write(start, Header.ToArray().AsSpan(start, length));
    }

    private void FlushAll()
    {
        if (!ReferenceEquals(data, image))
        {
            data.Flush();
        }

        image.Flush();
    }
}
