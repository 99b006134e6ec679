using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx;

/// <summary>Finds what the log holds that the file does not hold yet ([MS-VHDX] 2.3.2 and 2.3.3).</summary>
internal static class VhdxLog
{
    /// <summary>A log is summed this many times over before it counts as made to take time.</summary>
    private const int SumsPerByte = 16;

    /// <summary>The file as it is after the log is replayed. Nothing is written.</summary>
    /// <param name="storage">The file, which the result borrows.</param>
    /// <param name="header">The current header, which has a log.</param>
    /// <exception cref="Qcow2Exception">The log does not lie in the file, has nothing valid, or the file was cut off after it was written.</exception>
    internal static VhdxReplayedStorage Replay(BlockStorage storage, VhdxHeader header)
    {
        (VhdxLogRing ring, List<VhdxLogEntry> entries) = FindEntries(storage, header);
        VhdxLogEntry last = entries[entries.Count - 1];
        if (last.FlushedFileOffset > (ulong)storage.Length)
        {
            throw Qcow2Errors.Corrupt($"The VHDX file was cut off: it had {last.FlushedFileOffset} bytes when its log was written, and has {storage.Length}.");
        }

        if (last.LastFileOffset > long.MaxValue / 2)
        {
            throw Qcow2Errors.Corrupt($"The log of the VHDX file says that the file is {last.LastFileOffset} bytes long.");
        }

        return new VhdxReplayedStorage(storage, ring, Patches(entries, ring, header), (long)last.LastFileOffset);
    }

    /// <summary>Finds the entries that are to be replayed, at least one.</summary>
    /// <exception cref="Qcow2Exception">The log does not lie in the file, or has nothing valid.</exception>
    internal static (VhdxLogRing Ring, List<VhdxLogEntry> Entries) FindEntries(BlockStorage storage, VhdxHeader header)
    {
        VhdxLogRing ring = Locate(storage, header);
        List<VhdxLogEntry> entries = ActiveSequence(ring, header.LogGuid);
        return entries.Count > 0
            ? (ring, entries)
            : throw Qcow2Errors.Corrupt(
                $"The header of the VHDX file says that its log, at 0x{header.LogOffset:x}, is to be replayed, and no entry of the log is valid. No crash leaves a file so: part of it was lost or overwritten.");
    }

    private static VhdxLogRing Locate(BlockStorage storage, VhdxHeader header)
    {
        if (header.LogOffset < VhdxLimits.HeaderSectionLength || header.LogOffset % VhdxLimits.MiB != 0
            || header.LogLength == 0 || header.LogLength % VhdxLimits.MiB != 0)
        {
            throw Qcow2Errors.Corrupt($"The log of the VHDX file is said to lie at 0x{header.LogOffset:x}, {header.LogLength} bytes long; it has whole MiB, after the first.");
        }

        if (header.LogLength > VhdxLimits.MaxLogLength)
        {
            throw Qcow2Errors.Limit("The length of the VHDX file's log", (ulong)header.LogLength, VhdxLimits.MaxLogLength, "bytes");
        }

        return header.LogOffset > storage.Length - header.LogLength
            ? throw Qcow2Errors.PastEnd("The log", (ulong)header.LogOffset, (ulong)header.LogLength, storage.Length)
            : new VhdxLogRing(storage, header.LogOffset, header.LogLength);
    }

    /// <summary>
    /// The entries to replay: of all runs of valid entries with ascending numbers whose last one needs no entry before the run, the one
    /// with the highest number; and of that, from the entry on that the last one needs.
    /// </summary>
    private static List<VhdxLogEntry> ActiveSequence(VhdxLogRing ring, Guid logId)
    {
        List<VhdxLogEntry> active = [];
        var entries = new Dictionary<long, VhdxLogEntry?>(); // Runs that do not count are walked again from their next sector on.
        long budget = ring.Length * SumsPerByte;
        long start = 0;
        while (start < ring.Length)
        {
            List<VhdxLogEntry> run = ReadRun(ring, start, logId, entries, ref budget);
            int needed = run.Count == 0 ? -1 : run.FindIndex(entry => entry.Position == run[run.Count - 1].Tail);
            if (needed < 0)
            {
                start += VhdxLimits.LogSectorSize;
                continue;
            }

            if (active.Count == 0 || run[run.Count - 1].Sequence > active[active.Count - 1].Sequence)
            {
                active = run.GetRange(needed, run.Count - needed);
            }

            start += run.Sum(entry => entry.Length);
        }

        return active;
    }

    private static List<VhdxLogEntry> ReadRun(VhdxLogRing ring, long start, Guid logId, Dictionary<long, VhdxLogEntry?> entries, ref long budget)
    {
        var run = new List<VhdxLogEntry>();
        long position = start;
        long length = 0;
        while (EntryAt(ring, position, logId, entries, ref budget) is VhdxLogEntry entry
            && length + entry.Length <= ring.Length
            && (run.Count == 0 || (entry.Sequence == run[run.Count - 1].Sequence + 1 && entry.Sequence != 0)))
        {
            run.Add(entry);
            length += entry.Length;
            position = ring.Advance(position, entry.Length);
        }

        return run;
    }

    private static VhdxLogEntry? EntryAt(VhdxLogRing ring, long position, Guid logId, Dictionary<long, VhdxLogEntry?> entries, ref long budget)
    {
        if (!entries.TryGetValue(position, out VhdxLogEntry? entry))
        {
            entry = VhdxLogEntry.TryRead(ring, position, logId, ref budget);
            entries.Add(position, entry);
        }

        return entry;
    }

    private static List<VhdxLogDescriptor> Patches(List<VhdxLogEntry> entries, VhdxLogRing ring, VhdxHeader header)
    {
        var patches = new List<VhdxLogDescriptor>();
        foreach (VhdxLogDescriptor descriptor in entries.SelectMany(entry => entry.ReadDescriptors(ring)))
        {
            Check(descriptor, header);
            if (descriptor.ByteCount > 0)
            {
                patches.Add(descriptor);
            }

            if (patches.Count > VhdxLimits.MaxLogDescriptors)
            {
                throw Qcow2Errors.Limit("The number of descriptors in the VHDX file's log", (ulong)patches.Count, VhdxLimits.MaxLogDescriptors);
            }
        }

        return patches;
    }

    private static void Check(VhdxLogDescriptor descriptor, VhdxHeader header)
    {
        ulong end = descriptor.FileOffset + descriptor.ByteCount;
        bool isPossible = descriptor.FileOffset % VhdxLimits.LogSectorSize == 0 && descriptor.ByteCount % VhdxLimits.LogSectorSize == 0
            && descriptor.FileOffset >= VhdxLimits.FirstRegionTableOffset && descriptor.FileOffset <= long.MaxValue / 2 && descriptor.ByteCount <= long.MaxValue / 2
            && (descriptor.FileOffset >= (ulong)(header.LogOffset + header.LogLength) || end <= (ulong)header.LogOffset);
        if (!isPossible)
        {
            throw Qcow2Errors.Corrupt(
                $"The log of the VHDX file writes {descriptor.ByteCount} bytes at 0x{descriptor.FileOffset:x}: that is a header, the log itself, or no whole sector of {VhdxLimits.LogSectorSize} bytes.");
        }
    }
}
