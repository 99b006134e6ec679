using Qcow2.Engine.Disks;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>
/// Several disks, one after the other, as one. Each begins where a sector of 512 bytes does, as with QEMU: one whose size is no multiple of
/// that is followed by zeros.
/// </summary>
public sealed class ConcatenatedDisk : VirtualDisk
{
    private const long SectorSize = 512;

    private readonly VirtualDisk[] _disks;
    private readonly long[] _starts;

    /// <summary>Joins disks.</summary>
    /// <param name="disks">The disks, in order; at least one. This disk closes them.</param>
    /// <exception cref="ArgumentException">There is no disk, or together they have more than 2^63 bytes.</exception>
    public ConcatenatedDisk(IReadOnlyList<VirtualDisk> disks)
    {
        if (disks.Count == 0)
        {
            throw new ArgumentException("There must be a disk at least.", nameof(disks));
        }

        _disks = [.. disks];
        _starts = new long[_disks.Length];
        for (int i = 0; i < _disks.Length; i++)
        {
            _starts[i] = RoundUp(Length);
            if (_disks[i].Length > long.MaxValue - SectorSize - _starts[i])
            {
                throw new ArgumentException("Together the disks have more than 2^63 bytes.", nameof(disks));
            }

            Length = _starts[i] + _disks[i].Length;
        }
    }

    /// <summary>Full path of the first disk's file.</summary>
    public override string Path => _disks[0].Path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    protected internal override void EnsureReadable()
    {
        foreach (VirtualDisk disk in _disks)
        {
            disk.EnsureReadable();
        }
    }

    /// <inheritdoc/>
    protected internal override void ReadCore(long offset, Span<byte> buffer)
    {
        for (int i = IndexAt(offset); !buffer.IsEmpty; i++)
        {
            long end = i + 1 < _disks.Length ? _starts[i + 1] : Length;
            int count = (int)Math.Min(buffer.Length, end - offset);
            int read = _disks[i].Read(offset - _starts[i], buffer.Slice(0, count));
            buffer.Slice(read, count - read).Clear();
            buffer = buffer.Slice(count);
            offset += count;
        }
    }

    /// <inheritdoc/>
    protected internal override long DamageEnd(long offset)
    {
        int i = IndexAt(offset);
        long end = i + 1 < _disks.Length ? _starts[i + 1] : Length;
        return offset - _starts[i] < _disks[i].Length ? Math.Min(end, _starts[i] + _disks[i].DamageEnd(offset - _starts[i])) : end;
    }

    /// <inheritdoc/>
    protected internal override IEnumerable<DiskExtent> EnumerateExtents(long offset, long length, int depth)
    {
        long end = offset + length;
        for (int i = IndexAt(offset); offset < end; i++)
        {
            long next = Math.Min(end, i + 1 < _disks.Length ? _starts[i + 1] : Length);
            long inside = Math.Max(0, Math.Min(next, _starts[i] + _disks[i].Length) - offset);
            if (inside > 0)
            {
                foreach (DiskExtent extent in _disks[i].EnumerateExtents(offset - _starts[i], inside, depth))
                {
                    // The place of compressed data is not told, so that nobody may take what is at another offset here for the same
                    // because it comes from the same file of a chain.
                    yield return extent with { Offset = extent.Offset + _starts[i], Depth = _starts[i] == 0 ? extent.Depth : depth };
                }
            }

            if (offset + inside < next)
            {
                yield return new DiskExtent(offset + inside, next - offset - inside, ExtentKind.Unallocated, depth, _disks[i].Path, null, IsCompressed: false);
            }

            offset = next;
        }
    }

    /// <inheritdoc/>
    internal override HostRun? FindHostRun(long offset, long length)
    {
        int i = IndexAt(offset);
        long inside = Math.Min(length, _starts[i] + _disks[i].Length - offset);
        return inside > 0 ? _disks[i].FindHostRun(offset - _starts[i], inside) : null;
    }

    /// <inheritdoc/>
    protected internal override bool ReadsFrom(FileIdentity file) => _disks.Any(disk => disk.ReadsFrom(file));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (VirtualDisk disk in _disks)
            {
                disk.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    private static long RoundUp(long length) => (length + SectorSize - 1) / SectorSize * SectorSize;

    /// <summary>The last disk that starts at or before an offset; disks of size 0 hold nothing.</summary>
    private int IndexAt(long offset)
    {
        int index = Array.BinarySearch(_starts, offset);
        if (index < 0)
        {
            return ~index - 1;
        }

        while (index + 1 < _starts.Length && _starts[index + 1] == offset)
        {
            index++;
        }

        return index;
    }
}
