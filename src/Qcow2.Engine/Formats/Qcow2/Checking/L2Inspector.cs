using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Examines L2 tables: counts what their entries refer to and finds what is wrong with them. Each thread has its own.
/// </summary>
/// <remarks>
/// Most entries of most images are sound, and follow each other: such a run is counted and compared in one step.
/// </remarks>
internal sealed class L2Inspector(AuditContext context)
{
    private const ulong OffsetMask = L2Entry.OffsetMask;
    private const ulong SoundBits = OffsetMask | L2Entry.CopiedFlag | L2Entry.ZeroFlag;
    private const ulong ReservedMask = 0x3f00_0000_0000_01fe;

    private readonly int _clusterBits = context.Geometry.ClusterBits;
    private readonly int _clusterSize = context.Geometry.ClusterSize;
    private readonly bool _hasDataFile = context.HasDataFile;
    private readonly bool _hasZeroFlag = context.Header.Version >= 3;
    private L2Reference _table;
    private bool _checksCopied;
    private long _nextOffset;

    /// <summary>Clusters of the active disk that lie in the file.</summary>
    internal long Allocated { get; private set; }

    /// <summary>Those that are compressed.</summary>
    internal long Compressed { get; private set; }

    /// <summary>Those that do not follow the one before.</summary>
    internal long Fragmented { get; private set; }

    /// <summary>Examines one table.</summary>
    /// <param name="table">Where it lies and who refers to it.</param>
    /// <param name="entries">Its words, in the host's byte order.</param>
    internal void Inspect(L2Reference table, ReadOnlySpan<ulong> entries)
    {
        _table = table;

        // As in qemu-img check, nothing is said of the flags in a table whose own refcount cannot be read.
        _checksCopied = table.ActiveWeight > 0 && context.Stored.Get(table.Offset >> _clusterBits) is not null;
        _nextOffset = 0;
        if (context.Geometry.IsExtendedL2)
        {
            InspectExtended(entries);
        }
        else
        {
            InspectStandard(entries);
        }
    }

    private void InspectStandard(ReadOnlySpan<ulong> entries)
    {
        int i = 0;
        while (i < entries.Length)
        {
            ulong entry = entries[i];
            if (entry == 0)
            {
                i += SpanSearch.CountLeadingZeroWords(entries.Slice(i));
                continue;
            }

            int run = 1;
            if (IsSound(entry))
            {
                int most = (int)Math.Min(entries.Length - i, Room(entry));
                ulong next = entry + (ulong)_clusterSize;
                while (run < most && entries[i + run] == next)
                {
                    next += (ulong)_clusterSize;
                    run++;
                }

                CountRun(i, entry, run);
                if ((entry & L2Entry.ZeroFlag) == 0)
                {
                    NeedRun(i, entry, run, []);
                }
            }
            else
            {
                InspectOdd(i, entry, 0);
            }

            i += run;
        }
    }

    private void InspectExtended(ReadOnlySpan<ulong> words)
    {
        for (int i = 0; i < words.Length;)
        {
            ulong entry = words[i];
            var bitmap = new SubclusterBitmap(words[i + 1]);
            if ((entry | bitmap.Value) == 0)
            {
                i += SpanSearch.CountLeadingZeroWords(words.Slice(i)) & ~1;
                continue;
            }

            int run = 1;
            if ((entry & L2Entry.ZeroFlag) == 0 && IsSound(entry) && bitmap.IsValid)
            {
                int most = (int)Math.Min((words.Length - i) / 2, Room(entry));
                ulong next = entry + (ulong)_clusterSize;
                while (run < most && words[i + (2 * run)] == next && new SubclusterBitmap(words[i + (2 * run) + 1]).IsValid)
                {
                    next += (ulong)_clusterSize;
                    run++;
                }

                CountRun(i / 2, entry, run);
                NeedRun(i / 2, entry, run, words.Slice(i));
            }
            else
            {
                InspectOdd(i / 2, entry, bitmap.Value);
            }

            i += 2 * run;
        }
    }

    /// <summary>Whether an entry is that of a standard cluster at a place where one can lie.</summary>
    private bool IsSound(ulong entry)
    {
        long offset = (long)(entry & OffsetMask);
        return (entry & ~SoundBits) == 0
            && (offset & (_clusterSize - 1)) == 0
            && (_hasZeroFlag || (entry & L2Entry.ZeroFlag) == 0)
            && (_hasDataFile
                ? offset != 0 || (entry & (L2Entry.CopiedFlag | L2Entry.ZeroFlag)) == L2Entry.CopiedFlag
                : offset != 0 && offset < context.FileLength);
    }

    /// <summary>Clusters from an entry's to the end of what it may refer to.</summary>
    private long Room(ulong entry)
        => _hasDataFile ? (Qcow2Limits.HostOffsetEnd - (long)(entry & OffsetMask)) >> _clusterBits : context.Clusters - ((long)(entry & OffsetMask) >> _clusterBits);

    private void CountRun(int index, ulong entry, int run)
    {
        long offset = (long)(entry & OffsetMask);
        CountFragments(offset, run);
        if (!_hasDataFile)
        {
            context.References.Add(offset >> _clusterBits, run, _table.Weight);
        }

        if (_checksCopied)
        {
            bool isCopied = (entry & L2Entry.CopiedFlag) != 0;
            if (_hasDataFile ? isCopied : context.Stored.AreOne(offset >> _clusterBits, run, isCopied))
            {
                return;
            }

            for (int i = 0; i < run; i++)
            {
                CheckCopied(index + i, entry + ((ulong)i << _clusterBits));
            }
        }
    }

    /// <summary>Notes what of a run of clusters the file has to hold, if its last cluster is one of them.</summary>
    private void NeedRun(int index, ulong entry, int run, ReadOnlySpan<ulong> extended)
    {
        long offset = (long)(entry & OffsetMask);
        if (_hasDataFile || !context.Tail.IsIn(offset >> _clusterBits, run))
        {
            return;
        }

        int at = (int)(context.Tail.LastCluster - (offset >> _clusterBits));
        long guest = GuestOffset(index + at);
        long held = extended.IsEmpty ? _clusterSize : EndOfAllocated(new SubclusterBitmap(extended[(2 * at) + 1]).Allocated);
        long inDisk = guest < context.Header.Size ? Math.Min(held, context.Header.Size - guest) : held;
        context.Tail.Need((context.Tail.LastCluster << _clusterBits) + inDisk);
    }

    private long EndOfAllocated(uint subclusters)
    {
        int count = 0;
        for (; subclusters != 0; subclusters >>= 1)
        {
            count++;
        }

        return (long)count * _clusterSize / SubclusterBitmap.Count;
    }

    private long GuestOffset(int index) => ((long)_table.GuestIndex << context.Geometry.L1CoverageBits) + ((long)index << _clusterBits);

    private void CountFragments(long offset, int run)
    {
        if (_table.ActiveWeight > 0)
        {
            Allocated += run * _table.ActiveWeight;
            if (_nextOffset != 0 && offset != _nextOffset)
            {
                Fragmented += _table.ActiveWeight;
            }

            _nextOffset = offset + ((long)run << _clusterBits);
        }
    }

    /// <summary>Examines an entry that is not plainly sound.</summary>
    private void InspectOdd(int index, ulong entry, ulong bitmap)
    {
        if ((entry & L2Entry.CompressedFlag) != 0)
        {
            InspectCompressed(index, entry, bitmap);
            return;
        }

        if ((entry & ReservedMask) != 0)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.ReservedBits, entry,
                () => $"bits 0x{entry & ReservedMask:x} of the entry are reserved and must be 0.");
        }

        if (!_hasZeroFlag && (entry & L2Entry.ZeroFlag) != 0)
        {
            Report(index, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ReservedBits, entry, () => "version 2 has no zero flag.");
        }

        long offset = (long)(entry & OffsetMask);
        bool isExtended = context.Geometry.IsExtendedL2;
        bool isZero = !isExtended && (entry & L2Entry.ZeroFlag) != 0;
        if (offset == 0 && (isZero || !(_hasDataFile && (entry & L2Entry.CopiedFlag) != 0)))
        {
            if (!isZero && (uint)bitmap != 0)
            {
                Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SubclustersInvalid, bitmap,
                    () => $"no host cluster, but the subclusters 0x{(uint)bitmap:x} are said to be allocated.");
            }

            return;
        }

        InspectStandardCluster(index, entry, bitmap, offset);
    }

    private void InspectStandardCluster(int index, ulong entry, ulong bitmap, long offset)
    {
        if (!new SubclusterBitmap(bitmap).IsValid)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SubclustersInvalid, bitmap,
                () => $"the subclusters 0x{(uint)bitmap & (uint)(bitmap >> 32):x} are said to be both allocated and zero.");
        }

        if ((offset & (_clusterSize - 1)) != 0)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.Misaligned, (ulong)offset,
                () => $"the data at 0x{offset:x} does not start where a cluster starts.");
        }

        CountFragments(offset, 1);
        if (!_hasDataFile)
        {
            if (context.IsInFile(offset, _clusterSize))
            {
                context.Refer(offset, _clusterSize, _table.Weight);
            }
            else
            {
                ReportPastEnd(index, offset, _clusterSize);
            }
        }

        if (_checksCopied)
        {
            CheckCopied(index, entry);
        }
    }

    private void InspectCompressed(int index, ulong entry, ulong bitmap)
    {
        CompressedClusterDescriptor data = new L2Entry(entry).CompressedCluster(_clusterBits);
        if ((entry & L2Entry.CopiedFlag) != 0)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.CopiedFlagWrong, entry, () => "a compressed cluster never has the COPIED flag.");
        }

        if (_hasDataFile)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.CompressedWithDataFile, entry,
                () => "the cluster is compressed, which none can be in an image with an external data file.");
            return;
        }

        if (bitmap != 0)
        {
            Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.SubclustersInvalid, bitmap,
                () => $"the subcluster bitmap of a compressed cluster is 0x{bitmap:x}; it must be 0.");
            context.Keep(data.HostOffset, data.Length);
            return;
        }

        if (context.IsInFile(data.HostOffset, data.Length))
        {
            context.Refer(data.HostOffset, data.Length, _table.Weight);
            context.Tail.Need(data.HostOffset + data.Length);
        }
        else
        {
            ReportPastEnd(index, data.HostOffset, data.Length);
            context.Keep(data.HostOffset, data.Length);
        }

        Allocated += _table.ActiveWeight;
        Compressed += _table.ActiveWeight;
        Fragmented += _table.ActiveWeight;
    }

    private void CheckCopied(int index, ulong entry)
    {
        bool isCopied = (entry & L2Entry.CopiedFlag) != 0;
        long cluster = (long)(entry & OffsetMask) >> _clusterBits;
        if ((_hasDataFile ? 1 : context.Stored.Get(cluster)) is ulong count && (count == 1) != isCopied)
        {
            context.NoteWrongCopiedFlag(_table.ActiveWeight);
            context.Log.Add(Order(index, Qcow2CheckFindingKind.CopiedFlagWrong), Qcow2CheckSeverity.Corruption, _table.ActiveWeight, () => Finding(
                index,
                Qcow2CheckFindingKind.CopiedFlagWrong,
                entry,
                $"the COPIED flag is {(isCopied ? "set" : "clear")}, and the refcount of the cluster is {count}."));
        }
    }

    private void ReportPastEnd(int index, long offset, long length)
    {
        context.NotePastEnd(offset, length);
        Report(index, Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.PastEndOfFile, (ulong)offset,
            () => $"the data at 0x{offset:x} lies past the end of the file at 0x{context.FileLength:x}.");
    }

    private void Report(int index, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, ulong found, Func<string> message)
        => context.Log.Add(Order(index, kind), severity, _table.Weight, () => Finding(index, kind, found, message()));

    private FindingOrder Order(int index, Qcow2CheckFindingKind kind) => CheckStage.L2.At(_table.Order, ((long)index << 8) + (int)kind);

    private Qcow2CheckFinding Finding(int index, Qcow2CheckFindingKind kind, ulong found, string message)
    {
        long guest = GuestOffset(index);
        long position = _table.Offset + ((long)index * context.Geometry.L2EntryLength);
        string disk = _table.ActiveWeight > 0 ? "" : "of a snapshot ";
        return new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = position,
            Cluster = position >> _clusterBits,
            Table = "L2 table",
            Found = found,
            Message = $"The L2 entry {disk}for guest offset 0x{guest:x} (at 0x{position:x}): {message}",
        };
    }
}
