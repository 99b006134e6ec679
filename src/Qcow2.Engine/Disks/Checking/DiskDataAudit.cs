namespace Qcow2.Engine.Disks.Checking;

/// <summary>Reads all data that a file holds of its disk, and says what cannot be read.</summary>
internal static class DiskDataAudit
{
    private const int PieceLength = 1 << 20;

    /// <summary>Of a file that is damaged all over, so many places are enough.</summary>
    private const int MostPlaces = 100_000;

    /// <summary>Reads a disk.</summary>
    /// <param name="disk">The disk; what lies in the files below it is not read.</param>
    /// <param name="check">Told what cannot be read.</param>
    internal static void Run(VirtualDisk disk, FileCheck check)
    {
        byte[] buffer = new byte[PieceLength];
        var unreadable = new Unreadable(check);
        long position = 0;
        while (position < disk.Length && unreadable.Places < MostPlaces)
        {
            using IEnumerator<DiskExtent> extents = disk.EnumerateExtents(position, disk.Length - position, 0).GetEnumerator();
            while (TryMoveNext(extents) && unreadable.Places < MostPlaces)
            {
                check.CancellationToken.ThrowIfCancellationRequested();
                DiskExtent extent = extents.Current;
                if (extent.Depth == 0 && extent.Kind == ExtentKind.Data)
                {
                    Read(disk, extent, buffer, check, unreadable);
                }

                position = extent.End;
                check.Report(position, disk.Length);
            }

            if (position < disk.Length && unreadable.Places < MostPlaces)
            {
                check.CancellationToken.ThrowIfCancellationRequested();
                position = unreadable.Add(position, Math.Min(disk.Length, disk.DamageEnd(position)), 0, LastFailure(disk, position));
            }
        }

        unreadable.Finish();
        if (unreadable.Places >= MostPlaces)
        {
            check.Add(
                Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.DataUnreadable, 0, "Data",
                $"More than {MostPlaces} places of the disk cannot be read; what comes after 0x{position:x} of the disk was not tried.");
        }
    }

    private static void Read(VirtualDisk disk, DiskExtent extent, byte[] buffer, FileCheck check, Unreadable unreadable)
    {
        long place = (extent.HostOffset ?? 0) - extent.Offset;
        long offset = extent.Offset;
        while (offset < extent.End && unreadable.Places < MostPlaces)
        {
            check.CancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(buffer.Length, extent.End - offset);
            if (TryRead(disk, offset, buffer.AsSpan(0, count)) is null)
            {
                offset += count;
                check.Report(offset, disk.Length);
                continue;
            }

            // The piece is read again by the parts that are damaged together.
            for (long stop = offset + count; offset < stop && unreadable.Places < MostPlaces;)
            {
                check.CancellationToken.ThrowIfCancellationRequested();
                long next = Math.Min(stop, disk.DamageEnd(offset));
                offset = TryRead(disk, offset, buffer.AsSpan(0, (int)(next - offset))) is Exception part ? unreadable.Add(offset, next, place + offset, part) : next;
            }
        }
    }

    private static Exception LastFailure(VirtualDisk disk, long offset)
        => TryRead(disk, offset, new byte[1]) ?? new IOException("The tables that lead there could not be read.");

    private static Exception? TryRead(VirtualDisk disk, long offset, Span<byte> buffer)
    {
        try
        {
            disk.ReadCore(offset, buffer);
            return null;
        }
        catch (Exception e) when (e is IOException or Qcow2Exception)
        {
            return e;
        }
    }

    private static bool TryMoveNext(IEnumerator<DiskExtent> extents)
    {
        try
        {
            return extents.MoveNext();
        }
        catch (Exception e) when (e is IOException or Qcow2Exception)
        {
            return false;
        }
    }

    /// <summary>What cannot be read; neighbours are one finding.</summary>
    private sealed class Unreadable(FileCheck check)
    {
        private long _start;
        private long _end = -1;
        private long _place;
        private string _why = "";

        internal int Places { get; private set; }

        internal long Add(long start, long end, long place, Exception why)
        {
            Places++;
            if (start != _end)
            {
                Finish();
                _start = start;
                _place = Math.Max(0, place);
                _why = why.Message;
            }

            return _end = end;
        }

        internal void Finish()
        {
            if (_end <= _start)
            {
                return;
            }

            (long start, long end, long place, string why) = (_start, _end, _place, _why);
            _end = -1;
            check.Add(
                Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.DataUnreadable, place, "Data",
                () => $"The data from 0x{start:x} to 0x{end:x} of the disk cannot be read: {why}");
        }
    }
}
