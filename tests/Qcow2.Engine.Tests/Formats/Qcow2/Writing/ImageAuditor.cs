using System.Buffers.Binary;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>
/// Judges the bytes of an image by the specification alone, with none of the engine's code: what refers to what, and
/// whether the counts agree.
/// </summary>
internal sealed class ImageAuditor
{
    private const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    private const ulong Copied = 1UL << 63;
    private const ulong CompressedFlag = 1UL << 62;

    private readonly byte[] _file;
    private readonly int _clusterBits;
    private readonly int _clusterSize;
    private readonly bool _extended;
    private readonly bool _hasDataFile;
    private readonly int _refcountBits;
    private readonly int[] _references;
    private readonly string?[] _uses;
    private readonly ulong[] _table;
    private readonly HashSet<long> _activeData = [];

    private ImageAuditor(byte[] file)
    {
        _file = file;
        _clusterBits = (int)U32(20);
        _clusterSize = 1 << _clusterBits;
        bool isV3 = U32(4) >= 3;
        ulong incompatible = isV3 ? U64(72) : 0;
        _extended = (incompatible & 16) != 0;
        _hasDataFile = (incompatible & 4) != 0;
        _refcountBits = isV3 ? 1 << (int)U32(96) : 16;
        long clusters = (file.LongLength + _clusterSize - 1) >> _clusterBits;
        _references = new int[clusters];
        _uses = new string?[clusters];
        _table = new ulong[((long)U32(56) << _clusterBits) / 8];
    }

    /// <summary>What could lose or mix up data.</summary>
    internal List<string> Corruptions { get; } = [];

    /// <summary>Clusters with a count above their references.</summary>
    internal int Leaks { get; private set; }

    internal static ImageAuditor Audit(byte[] file)
    {
        var auditor = new ImageAuditor(file);
        auditor.Run();
        return auditor;
    }

    private void Run()
    {
        Use(0, _clusterSize, "header", whole: false);
        long tableOffset = (long)U64(48);
        if (!Use(tableOffset, _table.Length * 8L, "refcount table"))
        {
            return;
        }

        for (int i = 0; i < _table.Length; i++)
        {
            _table[i] = U64(tableOffset + (i * 8L)) & ~511UL;
            if (_table[i] != 0 && !Use((long)_table[i], _clusterSize, "refcount block"))
            {
                _table[i] = 0;
            }
        }

        Extensions();
        Walk((long)U64(40), (int)U32(36), "active L1", isActive: true);
        Snapshots();
        Compare();
        Walk((long)U64(40), (int)U32(36), "", isActive: true, copiedOnly: true);
    }

    private void Extensions()
    {
        bool isV3 = U32(4) >= 3;
        long position = isV3 ? U32(100) : 72;
        while (position + 8 <= _clusterSize && U32(position) != 0)
        {
            uint length = U32(position + 4);
            if (U32(position) == 0x0537be77)
            {
                Use((long)U64(position + 8), (long)U64(position + 16), "encryption header");
            }
            else if (U32(position) == 0x23852875 && isV3 && (U64(88) & 1) != 0)
            {
                Bitmaps((long)U64(position + 24), (long)U64(position + 16), U32(position + 8));
            }

            position += 8 + ((length + 7) & ~7);
        }
    }

    private void Bitmaps(long offset, long length, uint count)
    {
        if (!Use(offset, length, "bitmap directory"))
        {
            return;
        }

        long entry = offset;
        for (uint i = 0; i < count; i++)
        {
            long table = (long)U64(entry);
            long size = U32(entry + 8);
            if (Use(table, size * 8, "bitmap table"))
            {
                for (int k = 0; k < size; k++)
                {
                    long data = (long)(U64(table + (k * 8)) & OffsetMask);
                    if (data != 0)
                    {
                        Use(data, _clusterSize, "bitmap data");
                    }
                }
            }

            entry += (24 + U16(entry + 18) + U32(entry + 20) + 7) & ~7;
        }
    }

    private void Snapshots()
    {
        long start = (long)U64(64);
        long entry = start;
        for (uint i = U32(60); i > 0; i--)
        {
            entry = (entry + 7) & ~7;
            if (entry + 40 > _file.Length)
            {
                Corruptions.Add("The snapshot table passes the end.");
                return;
            }

            Walk((long)U64(entry), (int)U32(entry + 8), "snapshot L1", isActive: false);
            entry += 40 + U32(entry + 36) + U16(entry + 12) + U16(entry + 14);
        }

        if (entry > start)
        {
            Use(start, entry - start, "snapshot table");
        }
    }

    private void Walk(long l1, int count, string name, bool isActive, bool copiedOnly = false)
    {
        if (!copiedOnly && count > 0 && !Use(l1, count * 8L, name))
        {
            return;
        }

        for (int i = 0; i < count; i++)
        {
            ulong entry = U64(l1 + (i * 8L));
            long table = (long)(entry & OffsetMask);
            if (table == 0)
            {
                continue;
            }

            if (copiedOnly)
            {
                CheckCopied(entry, table, "L1");
            }
            else if (!Use(table, _clusterSize, "L2 table"))
            {
                continue;
            }

            if (table + _clusterSize <= _file.Length)
            {
                WalkTable(table, isActive, copiedOnly);
            }
        }
    }

    private void WalkTable(long table, bool isActive, bool copiedOnly)
    {
        int entryLength = _extended ? 16 : 8;
        for (long at = table; at < table + _clusterSize; at += entryLength)
        {
            ulong entry = U64(at);
            if (_extended && (uint)U64(at + 8) is uint allocated && (allocated & (uint)(U64(at + 8) >> 32)) != 0)
            {
                Corruptions.Add($"The subclusters of the entry at 0x{at:x} are allocated and zero.");
            }

            if ((entry & CompressedFlag) != 0)
            {
                int bits = 62 - (_clusterBits - 8);
                long offset = (long)(entry & ((1UL << bits) - 1));
                long sectors = (long)((entry & (CompressedFlag - 1)) >> bits) + 1;
                long end = (offset & ~511L) + (sectors * 512);
                if (copiedOnly)
                {
                    if ((entry & Copied) != 0)
                    {
                        Corruptions.Add($"The compressed entry at 0x{at:x} is COPIED.");
                    }
                }
                else
                {
                    Use(offset & ~(_clusterSize - 1L), end - (offset & ~(_clusterSize - 1L)), "compressed", whole: false);
                }

                continue;
            }

            long host = (long)(entry & OffsetMask);
            if (host == 0 || _hasDataFile)
            {
                continue;
            }

            if (copiedOnly)
            {
                CheckCopied(entry, host, "L2");
            }
            else
            {
                Use(host, _clusterSize, "data", whole: false);
                if (isActive && !_activeData.Add(host))
                {
                    Corruptions.Add($"The cluster at 0x{host:x} is mapped twice.");
                }
            }
        }
    }

    private void CheckCopied(ulong entry, long offset, string kind)
    {
        if (((entry & Copied) != 0) != (Count(offset >> _clusterBits) == 1))
        {
            Corruptions.Add($"{kind} entry 0x{entry:x}: the refcount is {Count(offset >> _clusterBits)}.");
        }
    }

    private bool Use(long offset, long length, string use, bool whole = true)
    {
        if ((offset & (_clusterSize - 1)) != 0 || offset < 0 || length <= 0 || offset > _file.LongLength
            || (whole ? offset + length > _file.LongLength : (offset + length - 1) >> _clusterBits >= _references.LongLength))
        {
            Corruptions.Add($"The {use} at 0x{offset:x} is not aligned or lies past the end.");
            return false;
        }

        for (long cluster = offset >> _clusterBits; cluster <= (offset + length - 1) >> _clusterBits; cluster++)
        {
            _references[cluster]++;
            if ((_uses[cluster] ??= use) != use || (_references[cluster] > 1 && use is not ("data" or "compressed" or "L2 table")))
            {
                Corruptions.Add($"The cluster at 0x{cluster << _clusterBits:x} is {_uses[cluster]} and {use}.");
            }
        }

        return true;
    }

    private void Compare()
    {
        for (int cluster = 0; cluster < _references.Length; cluster++)
        {
            ulong count = Count(cluster);
            if (count < (ulong)_references[cluster])
            {
                Corruptions.Add($"The cluster at 0x{(long)cluster << _clusterBits:x} ({_uses[cluster]}) has count {count} and {_references[cluster]} references.");
            }
            else if (count > (ulong)_references[cluster])
            {
                Leaks++;
            }
        }
    }

    private ulong Count(long cluster)
    {
        long perBlock = _clusterSize * 8L / _refcountBits;
        long block = cluster / perBlock;
        if (block >= _table.Length || _table[block] == 0)
        {
            return 0;
        }

        long bit = cluster % perBlock * _refcountBits;
        long at = (long)_table[block] + (bit >> 3);
        return _refcountBits switch
        {
            64 => U64(at),
            32 => U32(at),
            16 => U16(at),
            8 => _file[at],
            _ => (ulong)(_file[at] >> (int)(bit & 7)) & ((1UL << _refcountBits) - 1),
        };
    }

    private ulong U64(long at) => BinaryPrimitives.ReadUInt64BigEndian(_file.AsSpan((int)at, 8));

    private uint U32(long at) => BinaryPrimitives.ReadUInt32BigEndian(_file.AsSpan((int)at, 4));

    private ushort U16(long at) => BinaryPrimitives.ReadUInt16BigEndian(_file.AsSpan((int)at, 2));
}
