using System.Buffers.Binary;
using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Looks at the log of a file that was not closed.</summary>
internal static class VhdxLogAudit
{
    private const string Table = "Log";

    /// <summary>What the log holds is part of the file: all else is checked as it is after the replay.</summary>
    /// <returns>The file after the replay, which borrows the file; the file itself where there is no log, or it cannot be replayed.</returns>
    internal static BlockStorage Run(FileCheck check, VhdxHeader header)
    {
        if (!header.HasLog)
        {
            return check.File;
        }

        check.IsDirty = true;
        try
        {
            (VhdxLogRing ring, List<VhdxLogEntry> entries) = VhdxLog.FindEntries(check.File, header);
            Describe(check, header, ring, entries);
            VhdxLogEntry last = entries[entries.Count - 1];
            if (last.FlushedFileOffset > (ulong)check.File.Length)
            {
                check.Add(
                    Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.FileCutOff, check.File.Length, "File",
                    $"The file had {last.FlushedFileOffset} bytes when its log was written, and has {check.File.Length}: it was cut off. The log is not replayed.",
                    last.FlushedFileOffset, (ulong)check.File.Length);
                return check.File;
            }

            return VhdxLog.Replay(check.File, header);
        }
        catch (Qcow2Exception e)
        {
            check.Add(Qcow2CheckSeverity.Corruption, Qcow2CheckFindingKind.LogDamaged, header.LogOffset, Table, e.Message);
            return check.File;
        }
    }

    private static void Describe(FileCheck check, VhdxHeader header, VhdxLogRing ring, List<VhdxLogEntry> entries)
    {
        VhdxLogEntry last = entries[entries.Count - 1];
        check.Add(
            Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.MarkedDirty, header.LogOffset + entries[0].Position, Table,
            $"The file was not closed: its log holds what was written last, in {entries.Count} {(entries.Count == 1 ? "entry" : "entries")} up to the number {last.Sequence}. What is read and checked here has it; Hyper-V writes it into the file when it opens it.");
        long next = ring.Advance(last.Position, last.Length);
        byte[] start = new byte[VhdxLogEntry.HeaderLength];
        ring.Read(next, start);
        if (VhdxLogEntry.HasSignature(start) && LittleEndian.ReadGuid(start.AsSpan(32)) == header.LogGuid && BinaryPrimitives.ReadUInt64LittleEndian(start.AsSpan(16)) == last.Sequence + 1)
        {
            check.Add(
                Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.LogDamaged, header.LogOffset + next, Table,
                $"The entry of the log with the number {last.Sequence + 1} was not written whole, as a crash leaves it: it does not count, and nobody was told that what it holds is safe.");
        }
    }
}
