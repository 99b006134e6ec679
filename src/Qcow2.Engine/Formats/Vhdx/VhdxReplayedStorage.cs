using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>
/// A file as it is once its log is replayed, for reading. What the log holds stays there, and is looked up where something is read.
/// </summary>
internal sealed class VhdxReplayedStorage : BlockStorage
{
    private readonly BlockStorage _file;
    private readonly VhdxLogRing _ring;

    /// <summary>What is written where, in ascending order of places, none overlapping another.</summary>
    private readonly List<Patch> _patches;

    internal VhdxReplayedStorage(BlockStorage file, VhdxLogRing ring, IReadOnlyList<VhdxLogDescriptor> descriptors, long lastFileOffset)
    {
        _file = file;
        _ring = ring;
        _patches = Flatten(descriptors);
        Length = Math.Max(file.Length, Math.Max(lastFileOffset, _patches.Count == 0 ? 0 : _patches[_patches.Count - 1].End));
    }

    /// <inheritdoc/>
    public override string Path => _file.Path;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override long AllocatedLength => _file.AllocatedLength;

    /// <inheritdoc/>
    public override bool HasLocalPath => _file.HasLocalPath;

    /// <inheritdoc/>
    public override FileIdentity Identity => _file.Identity;

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer)
    {
        int count = (int)Math.Max(0, Math.Min(buffer.Length, Length - offset));
        buffer = buffer.Slice(0, count);
        _file.ReadZeroPadded(offset, buffer);
        long end = offset + count;
        for (int i = FirstEndingAfter(offset); i < _patches.Count && _patches[i].Start < end; i++)
        {
            Patch patch = _patches[i];
            long from = Math.Max(offset, patch.Start);
            Apply(patch, from, buffer.Slice((int)(from - offset), (int)(Math.Min(end, patch.End) - from)));
        }

        return count;
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset)
    {
        int i = FirstEndingAfter(offset);
        if (i < _patches.Count && _patches[i].Start <= offset)
        {
            return new StorageRun(_patches[i].Descriptor.IsData, _patches[i].End);
        }

        StorageRun run = offset < _file.Length ? _file.RunAt(offset) : new StorageRun(false, Length);
        return i < _patches.Count && _patches[i].Start < run.End ? run with { End = _patches[i].Start } : run;
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => throw new NotSupportedException("A VHDX file is open for reading only.");

    /// <inheritdoc/>
    public override void SetLength(long length) => throw new NotSupportedException("A VHDX file is open for reading only.");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _file.Dispose();
        }
    }

    private void Apply(Patch patch, long offset, Span<byte> buffer)
    {
        if (!patch.Descriptor.IsData)
        {
            buffer.Clear();
            return;
        }

        Span<byte> sector = stackalloc byte[VhdxLimits.LogSectorSize];
        _ring.Read(patch.Descriptor.Sector, sector);
        patch.Descriptor.Restore(sector);
        sector.Slice((int)(offset - (long)patch.Descriptor.FileOffset), buffer.Length).CopyTo(buffer);
    }

    private int FirstEndingAfter(long offset)
    {
        int low = 0;
        int high = _patches.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_patches[middle].End > offset)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }

    /// <summary>Of what lies one over the other, leaves what was written last.</summary>
    private static List<Patch> Flatten(IReadOnlyList<VhdxLogDescriptor> descriptors)
    {
        var ends = new List<(long Position, int Index, bool IsStart)>(descriptors.Count * 2);
        for (int i = 0; i < descriptors.Count; i++)
        {
            ends.Add(((long)descriptors[i].FileOffset, i, true));
            ends.Add(((long)(descriptors[i].FileOffset + descriptors[i].ByteCount), i, false));
        }

        ends.Sort((one, other) => one.Position.CompareTo(other.Position));
        var patches = new List<Patch>();
        var open = new SortedSet<int>();
        long position = 0;
        foreach ((long next, int index, bool isStart) in ends)
        {
            if (open.Count > 0 && next > position)
            {
                patches.Add(new Patch(position, next, descriptors[open.Max]));
            }

            position = next;
            _ = isStart ? open.Add(index) : open.Remove(index);
        }

        return patches;
    }

    private readonly record struct Patch(long Start, long End, VhdxLogDescriptor Descriptor);
}
