using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>
/// Gives an image refcounts of another width: table and blocks are written anew past the end of everything, and one write into the
/// header's first sector switches to them and to the width. Until then the old structure is as it was; from then on its place is free.
/// </summary>
/// <remarks>The counts stay what they are, and so do the COPIED flags, which depend on them.</remarks>
internal sealed class RefcountWidth
{
    private readonly BlockStorage _image;
    private readonly Qcow2Header _header;
    private readonly RefcountOrder _wanted;
    private readonly AmendProgress _progress;
    private readonly CancellationToken _cancellationToken;
    private readonly RefcountStore _store;
    private readonly int _perOld;
    private readonly int _perNew;
    private readonly Dictionary<long, ulong> _old = [];
    private long _blockIndex = -1;
    private byte[]? _block;

    /// <summary>Prepares the change.</summary>
    /// <exception cref="Qcow2Exception">The refcount table does not lie inside the file.</exception>
    internal RefcountWidth(BlockStorage image, RefcountOrder wanted, AmendProgress progress, CancellationToken cancellationToken)
    {
        _image = image;
        _header = HeaderCluster.Load(image);
        _wanted = wanted;
        _progress = progress;
        _cancellationToken = cancellationToken;
        _store = RefcountStore.Load(image, _header, 1L << 20);
        _perOld = _header.RefcountOrder.EntriesPerBlock(_header.ClusterSize);
        _perNew = wanted.EntriesPerBlock(_header.ClusterSize);
    }

    private int ClusterBits => _header.ClusterBits;

    private long TableLength => ((long)_store.TableClusters << ClusterBits) / RefcountTableEntry.Length;

    /// <summary>Fails where <see cref="Run"/> would.</summary>
    /// <exception cref="Qcow2Exception">A count does not fit, or the table would pass QEMU's limit.</exception>
    internal void RequireFit() => _ = LayOut();

    /// <summary>Changes the width, and flushes.</summary>
    /// <exception cref="Qcow2Exception">A count does not fit, or the table would pass QEMU's limit. Nothing has changed.</exception>
    /// <exception cref="IOException">The host could not write. The image has the old counts or the new ones.</exception>
    /// <exception cref="OperationCanceledException">The caller stopped it. Nothing has changed.</exception>
    internal void Run()
    {
        NewStructure structure = LayOut();
        foreach ((long offset, long length) in _store.MetadataRanges())
        {
            for (long cluster = offset >> ClusterBits; cluster <= (offset + length - 1) >> ClusterBits; cluster++)
            {
                _old[cluster] = (_old.TryGetValue(cluster, out ulong known) ? known : 0) + 1;
            }
        }

        Write(structure);
    }

    private NewStructure LayOut()
    {
        SortedSet<long> blocks = FindBlocks(out long counted);
        long start = Math.Max(_store.HighWater, counted);
        long tableClusters = 1;
        long end;
        do
        {
            end = start + blocks.Count + tableClusters;
            tableClusters = DivideUp(DivideUp(end, _perNew) * RefcountTableEntry.Length, _header.ClusterSize);
            for (long block = start / _perNew; block <= (end - 1) / _perNew; block++)
            {
                blocks.Add(block);
            }
        }
        while (end != start + blocks.Count + tableClusters);

        long tableBytes = tableClusters << ClusterBits;
        if (tableBytes > Qcow2Limits.MaxRefcountTableBytes)
        {
            throw Qcow2Errors.Limit(
                $"The size of a refcount table for counts of {_wanted.Bits} bits", (ulong)tableBytes, (ulong)Qcow2Limits.MaxRefcountTableBytes, "bytes");
        }

        if (end > Qcow2Limits.HostOffsetEnd >> ClusterBits)
        {
            throw Qcow2Errors.Limit("The image file's length", (ulong)end << ClusterBits, (ulong)Qcow2Limits.HostOffsetEnd, "bytes");
        }

        _image.RequireRoom(end << ClusterBits);
        return new NewStructure(start, end, blocks, tableBytes);
    }

    private static long DivideUp(long value, long unit) => (value + unit - 1) / unit;

    /// <summary>Finds the new blocks that count anything, and refuses what the new width cannot count.</summary>
    private SortedSet<long> FindBlocks(out long counted)
    {
        counted = 0;
        var blocks = new SortedSet<long>();
        long length = TableLength;
        for (long index = 0; index < length; index++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            _progress.Report(index, 2 * length);
            if (Block(index) is not byte[] block || SpanSearch.IsAllZero(block))
            {
                continue;
            }

            for (int i = 0; i < _perOld; i++)
            {
                ulong count = _header.RefcountOrder.Read(block, i);
                if (count == 0)
                {
                    continue;
                }

                long cluster = (index * _perOld) + i;
                if (count > _wanted.MaxValue)
                {
                    throw new Qcow2Exception(
                        Qcow2ErrorCode.LimitExceeded,
                        $"The cluster at 0x{cluster << ClusterBits:x} is referred to {count} times, and refcounts of {_wanted.Bits} {(_wanted.Bits == 1 ? "bit" : "bits")} "
                        + $"count to {_wanted.MaxValue}: choose wider ones, or remove snapshots first.");
                }

                counted = cluster + 1;
                blocks.Add(cluster / _perNew);
            }
        }

        return blocks;
    }

    private void Write(NewStructure structure)
    {
        (long start, long end, SortedSet<long> blocks, long tableBytes) = structure;
        ulong[] table = new ulong[tableBytes / RefcountTableEntry.Length];
        byte[] content = new byte[_header.ClusterSize];
        long place = start << ClusterBits;
        long done = 0;
        foreach (long block in blocks)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            _progress.Report(blocks.Count + done++, 2L * blocks.Count);
            Fill(content, block * _perNew, start, end);
            _image.Write(place, content);
            table[block] = (ulong)place;
            place += _header.ClusterSize;
        }

        BigEndianTable.Write(_image, place, table);
        _image.CompleteLastCluster(_header.ClusterSize);
        _image.Flush();
        _cancellationToken.ThrowIfCancellationRequested();
        SwitchTo(place, (int)(tableBytes >> ClusterBits));
    }

    private void SwitchTo(long tableOffset, int tableClusters)
    {
        byte[] first = new byte[HeaderClusterState.SectorSize];
        _image.ReadZeroPadded(0, first);
        byte[] fields = (_header with { RefcountTableOffset = tableOffset, RefcountTableClusters = tableClusters, RefcountOrder = _wanted }).ToArray();
        fields.AsSpan(0, HeaderField.HeaderLength).CopyTo(first);
        _image.Write(0, first);
        _image.Flush();
    }

    private void Fill(byte[] content, long first, long start, long end)
    {
        Array.Clear(content, 0, content.Length);
        for (long cluster = first; cluster < Math.Min(first + _perNew, end); cluster++)
        {
            ulong count = cluster < start ? Count(cluster) : 1;
            if (count != 0)
            {
                _wanted.Write(content, (int)(cluster - first), count);
            }
        }
    }

    /// <summary>The count of a cluster without the references of the old structure, which ends with the switch.</summary>
    private ulong Count(long cluster)
    {
        if (Block(cluster / _perOld) is not byte[] block)
        {
            return 0;
        }

        ulong count = _header.RefcountOrder.Read(block, (int)(cluster % _perOld));
        return _old.TryGetValue(cluster, out ulong old) ? count - Math.Min(count, old) : count;
    }

    private byte[]? Block(long index)
    {
        if (index != _blockIndex)
        {
            _block = index < TableLength ? _store.CopyBlock(index) : null;
            _blockIndex = index;
        }

        return _block;
    }

    /// <summary>Where the new structure goes, in clusters: the blocks that count anything, by their place in the table, and then the table.</summary>
    private sealed record NewStructure(long Start, long End, SortedSet<long> Blocks, long TableBytes);
}
