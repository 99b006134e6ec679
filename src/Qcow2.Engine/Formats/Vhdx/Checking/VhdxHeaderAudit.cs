using Qcow2.Engine.Disks.Checking;

namespace Qcow2.Engine.Formats.Vhdx.Checking;

/// <summary>Looks at both headers, and finds the one that counts.</summary>
internal static class VhdxHeaderAudit
{
    private const string Table = "Header";

    /// <returns>Null if it cannot be told which header counts.</returns>
    internal static VhdxHeader? Run(FileCheck check)
    {
        byte[] first = VhdxHeader.Read(check.File, VhdxLimits.FirstHeaderOffset);
        byte[] second = VhdxHeader.Read(check.File, VhdxLimits.SecondHeaderOffset);
        string? firstProblem = VhdxHeader.ProblemOf(first);
        string? secondProblem = VhdxHeader.ProblemOf(second);
        VhdxHeader? header = null;
        try
        {
            header = VhdxHeader.Load(check.File, []);
        }
        catch (Qcow2Exception e)
        {
            check.AddError(e, VhdxLimits.FirstHeaderOffset, Table);
            return null;
        }

        AddCopy(check, VhdxLimits.FirstHeaderOffset, firstProblem);
        AddCopy(check, VhdxLimits.SecondHeaderOffset, secondProblem);
        if (!header.HasLog && !IsPossible(header, check.File.Length))
        {
            check.Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.HeaderDamaged, VhdxLimits.FirstHeaderOffset, Table,
                $"The log of the VHDX file is said to lie at 0x{header.LogOffset:x}, {header.LogLength} bytes long, and cannot: it has whole MiB, after the first, inside the file. Nothing in it is needed now, but who opens the file for writing needs it.");
        }

        return header;
    }

    private static bool IsPossible(VhdxHeader header, long fileLength)
        => header.LogOffset >= VhdxLimits.HeaderSectionLength && header.LogOffset % VhdxLimits.MiB == 0 && header.LogLength > 0 && header.LogLength % VhdxLimits.MiB == 0
            && header.LogOffset <= fileLength - header.LogLength;

    /// <summary>A crash can leave one header half written: it is replaced when the file is opened for writing.</summary>
    private static void AddCopy(FileCheck check, long offset, string? problem)
    {
        if (problem is not null)
        {
            check.Add(Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.CopyDamaged, offset, Table, $"The header at 0x{offset:x} {problem}; the other one counts.");
        }
    }
}
