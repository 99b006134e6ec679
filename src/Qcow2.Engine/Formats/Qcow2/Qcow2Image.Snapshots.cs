using System.Text;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Formats.Qcow2.Reading;
using Qcow2.Engine.Formats.Qcow2.Writing;

namespace Qcow2.Engine;

/// <content>Internal snapshots (spec: "Snapshots").</content>
public sealed partial class Qcow2Image
{
    // QEMU keeps a name in 256 bytes, with a NUL at its end.
    private const int MaxSnapshotNameBytes = 255;

    private readonly object _snapshotChange = new();
    private readonly List<(string Id, WeakReference<MappedDisk> Disk)> _openSnapshots = [];

    /// <summary>The internal snapshots, oldest first.</summary>
    public IReadOnlyList<SnapshotTableEntry> Snapshots => _writer?.Snapshots ?? _snapshots.Entries;

    /// <summary>Finds a snapshot by its id or its name, by the rule of <see cref="SnapshotSelector.IdOrName"/>.</summary>
    /// <param name="idOrName">The id or name.</param>
    /// <exception cref="Qcow2Exception">None or several are meant.</exception>
    public SnapshotTableEntry FindSnapshot(string idOrName) => FindSnapshot(SnapshotSelector.Of(idOrName));

    /// <summary>Finds the snapshot that is meant.</summary>
    /// <param name="selector">What is said of it.</param>
    /// <exception cref="Qcow2Exception">None or several are meant, or the one with the id is another one by now.</exception>
    public SnapshotTableEntry FindSnapshot(SnapshotSelector selector)
    {
        List<Qcow2Snapshot> described = [.. Snapshots.Select(entry => Qcow2Snapshot.From(entry, Header, Path))];
        try
        {
            return Snapshots[described.IndexOf(selector.Find(described))];
        }
        catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.SnapshotNotFound)
        {
            throw NotFound(e.Message);
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>Opens an internal snapshot as a disk. It borrows this image, which must stay open as long as it is read.</summary>
    /// <param name="snapshot">One of <see cref="Snapshots"/>.</param>
    /// <exception cref="Qcow2Exception">The snapshot is damaged (<see cref="Qcow2ErrorCode.SnapshotDamaged"/>).</exception>
    public VirtualDisk OpenSnapshot(SnapshotTableEntry snapshot)
    {
        try
        {
            snapshot.EnsureSound();
            long size = snapshot.DiskSizeIn(Header);
            L1Table l1 = L1Table.Load(_resources.Image, snapshot.L1TableOffset, snapshot.L1Size, snapshot.L1TableName);
            var disk = new MappedDisk(_resources, l1, size);
            if (CanWrite)
            {
                lock (_openSnapshots)
                {
                    _openSnapshots.RemoveAll(open => !open.Disk.TryGetTarget(out _));
                    _openSnapshots.Add((snapshot.Id, new WeakReference<MappedDisk>(disk)));
                }
            }

            return disk;
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>
    /// Makes the disk's present content a snapshot. It costs the tables, not the data; what is written to the disk afterwards
    /// takes new clusters. A crash leaves the image with the snapshot or without it.
    /// </summary>
    /// <param name="name">A name that no other snapshot has, at most 255 bytes in UTF-8.</param>
    /// <param name="options">What else to record; null for the present time alone.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    /// <returns>The snapshot, with the id that QEMU would give it: one more than the largest.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="NotSupportedException">The image is open for reading only, or has an external data file.</exception>
    /// <exception cref="Qcow2Exception">
    /// The name is taken (<see cref="Qcow2ErrorCode.SnapshotExists"/>), the refcounts are too narrow or there are too many
    /// snapshots (<see cref="Qcow2ErrorCode.LimitExceeded"/>), or the tables are damaged. Nothing has changed.
    /// </exception>
    /// <exception cref="IOException">The host could not write. Nothing has changed.</exception>
    public SnapshotTableEntry CreateSnapshot(string name, Qcow2SnapshotOptions? options = null, CancellationToken cancellationToken = default)
    {
        DiskWriter writer = RequireSnapshotWriter();
        options ??= new Qcow2SnapshotOptions();
        return OneAtATime(() =>
        {
            RequireNewName(name);
            string id = NextSnapshotId();
            return writer.CreateSnapshot(size => options.ToEntry(id, name, size), cancellationToken);
        });
    }

    /// <summary>Makes the disk's present content a snapshot that is described as one of another image.</summary>
    /// <param name="entry">The other image's snapshot, which had a disk of the same size and no VM state.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    internal void CreateSnapshotLike(SnapshotTableEntry entry, CancellationToken cancellationToken)
        => RequireSnapshotWriter().CreateSnapshot(_ => entry, cancellationToken);

    /// <summary>
    /// Gives the disk a snapshot's content and size. What it held is lost, unless another snapshot has it. The snapshot stays,
    /// and can be applied again. A crash leaves the disk as it was or as the snapshot has it.
    /// </summary>
    /// <param name="snapshot">One of <see cref="Snapshots"/>.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    /// <exception cref="NotSupportedException">
    /// The image is open for reading only, has an external data file, or has bitmaps, which would not tell what changes.
    /// </exception>
    /// <exception cref="Qcow2Exception">The image has no such snapshot any more, or its tables are damaged. Nothing has changed.</exception>
    /// <exception cref="IOException">The host could not write. Nothing has changed.</exception>
    public void ApplySnapshot(SnapshotTableEntry snapshot, CancellationToken cancellationToken = default)
    {
        DiskWriter writer = RequireSnapshotWriter();
        if (Bitmaps.Count > 0)
        {
            throw new NotSupportedException(
                $"{Path}: the image has bitmaps, which would not tell what a snapshot changes. Remove them before a snapshot is applied.");
        }

        OneAtATime(() =>
        {
            SnapshotTableEntry current = Current(snapshot);
            current.EnsureSound();
            writer.ApplySnapshot(current, current.DiskSizeIn(Header), cancellationToken);
            return true;
        });
    }

    /// <summary>
    /// Deletes a snapshot and gives back the space that only it took. Disks that <see cref="OpenSnapshot"/> gave of it can no
    /// longer be read. A crash leaves the image with the snapshot or without it.
    /// </summary>
    /// <remarks>
    /// A damaged snapshot is deleted, too. Where its tables cannot be followed, or are not its alone, nothing is given back: what
    /// it took is then leaked, and a repair that counts everything frees what nothing else refers to.
    /// </remarks>
    /// <param name="snapshot">One of <see cref="Snapshots"/>.</param>
    /// <param name="cancellationToken">Ends it; the image stays as it was.</param>
    /// <returns>Why its space was not given back; null if it was.</returns>
    /// <exception cref="NotSupportedException">The image is open for reading only, or has an external data file.</exception>
    /// <exception cref="Qcow2Exception">The image has no such snapshot any more, or its tables are damaged. Nothing has changed.</exception>
    /// <exception cref="IOException">The host could not write. Nothing has changed.</exception>
    public string? DeleteSnapshot(SnapshotTableEntry snapshot, CancellationToken cancellationToken = default)
    {
        DiskWriter writer = RequireSnapshotWriter();
        return OneAtATime(() => writer.DeleteSnapshot(Current(snapshot), () => Retire(snapshot.Id), cancellationToken));
    }

    /// <summary>Gives a snapshot another name. Its id and all else stay.</summary>
    /// <param name="snapshot">One of <see cref="Snapshots"/>.</param>
    /// <param name="newName">A name that no other snapshot has, at most 255 bytes in UTF-8.</param>
    /// <returns>The snapshot as it is now.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="NotSupportedException">The image is open for reading only, or has an external data file.</exception>
    /// <exception cref="Qcow2Exception">The name is taken, or the image has no such snapshot any more. Nothing has changed.</exception>
    /// <exception cref="IOException">The host could not write. Nothing has changed.</exception>
    public SnapshotTableEntry RenameSnapshot(SnapshotTableEntry snapshot, string newName)
    {
        DiskWriter writer = RequireSnapshotWriter();
        return OneAtATime(() =>
        {
            SnapshotTableEntry current = Current(snapshot);
            if (string.Equals(current.Name, newName, StringComparison.Ordinal))
            {
                return current;
            }

            RequireNewName(newName);
            SnapshotTableEntry renamed = current.Renamed(newName);
            writer.DescribeSnapshots([.. Snapshots.Select(other => ReferenceEquals(other, current) ? renamed : other)]);
            return renamed;
        });
    }

    private DiskWriter RequireSnapshotWriter()
    {
        if (_writer is null)
        {
            throw new NotSupportedException($"{Path}: the image is open for reading only.");
        }

        return Header.Has(IncompatibleFeatures.ExternalDataFile)
            ? throw new NotSupportedException($"{Path}: an image with an external data file cannot have internal snapshots, for its data is not shared cluster by cluster.")
            : _writer;
    }

    private void RequireNewName(string name)
    {
        int length = Encoding.UTF8.GetByteCount(name);
        if (length is 0 or > MaxSnapshotNameBytes)
        {
            throw new ArgumentException($"{Path}: a snapshot's name has 1 to {MaxSnapshotNameBytes} bytes in UTF-8; this one has {length}.", nameof(name));
        }

        if (name.Contains('\0') || Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name)) != name)
        {
            throw new ArgumentException($"{Path}: a snapshot's name is text without NUL characters and halves of surrogate pairs, which could not be read back.", nameof(name));
        }

        if (Snapshots.FirstOrDefault(known => known.Name == name || known.Id == name) is SnapshotTableEntry taken)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.SnapshotExists,
                $"'{PrintableText.Of(name)}' is the name or the id of a snapshot already ('{PrintableText.Of(taken.Name)}', "
                + $"id {PrintableText.Of(taken.Id)}); choose another name, or remove that snapshot first.").At(Path);
        }
    }

    /// <summary>One more than the largest id that is a number, as QEMU counts.</summary>
    private string NextSnapshotId()
    {
        ulong largest = 0;
        foreach (SnapshotTableEntry snapshot in Snapshots)
        {
            if (ulong.TryParse(snapshot.Id, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out ulong id))
            {
                largest = Math.Max(largest, id);
            }
        }

        return largest == ulong.MaxValue
            ? Guid.NewGuid().ToString("D")
            : (largest + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The entry of a snapshot as the table has it now: it may have been renamed since the caller got it.</summary>
    private SnapshotTableEntry Current(SnapshotTableEntry snapshot)
        => Snapshots.FirstOrDefault(known => ReferenceEquals(known, snapshot))
            ?? Snapshots.FirstOrDefault(known => known.Id == snapshot.Id && known.L1TableOffset == snapshot.L1TableOffset)
            ?? throw NotFound($"The image no longer has the snapshot '{PrintableText.Of(snapshot.Name)}' (id {PrintableText.Of(snapshot.Id)}).");

    private void Retire(string id)
    {
        lock (_openSnapshots)
        {
            foreach ((_, WeakReference<MappedDisk> open) in _openSnapshots.Where(open => open.Id == id))
            {
                if (open.TryGetTarget(out MappedDisk? disk))
                {
                    disk.Retire();
                }
            }

            _openSnapshots.RemoveAll(open => open.Id == id);
        }
    }

    /// <summary>Names and ids stay unique only if nobody else chooses one meanwhile.</summary>
    private T OneAtATime<T>(Func<T> action)
    {
        try
        {
            lock (_snapshotChange)
            {
                return action();
            }
        }
        catch (Qcow2Exception e)
        {
            e.At(Path);
            throw;
        }
    }

    /// <summary>In a table that cannot be read to its end, what was asked for may be all the same.</summary>
    private Qcow2Exception NotFound(string message) => new Qcow2Exception(
        _snapshots.Problem is null ? Qcow2ErrorCode.SnapshotNotFound : Qcow2ErrorCode.SnapshotDamaged,
        _snapshots.Problem is null ? message : $"{message} {_snapshots.Problem}").At(Path);
}
