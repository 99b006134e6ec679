using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Reports;

/// <summary>
/// One image of a report: what is shown of it and no more, so that a fleet fits into memory. Texts have been through <see cref="ReportText"/>, and lists are cut.
/// </summary>
/// <param name="File">The file.</param>
internal sealed record ReportImage(ReportFile File)
{
    /// <summary>Why nothing is known of the image; null if something is.</summary>
    internal string? Error { get; init; }

    /// <summary>Where what is shown comes from, if not from the file; null if from the file.</summary>
    internal string? Origin { get; init; }

    /// <summary>Length of the file, in bytes.</summary>
    internal long FileSize { get; init; }

    /// <summary>What Optimize-Qcow2Image gives back at least; null where that is not known.</summary>
    internal long? Reclaimable { get; init; }

    /// <summary>Why the file is larger than its content needs; null if it is not.</summary>
    internal string? Overgrown { get; init; }

    /// <summary>Properties in a few words each: a name and a value.</summary>
    internal IReadOnlyList<(string Name, string Value)> Facts { get; init; } = [];

    internal ImageLockState Lock { get; init; }

    internal bool IsDirty { get; init; }

    internal bool IsCorrupt { get; init; }

    internal bool IsEncrypted { get; init; }

    /// <summary>What is damaged without the disk being affected.</summary>
    internal IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>The files below it, each on the next one.</summary>
    internal IReadOnlyList<ReportFile> Below { get; init; } = [];

    /// <summary>Where its chain ends before its end; null if it does not.</summary>
    internal BrokenLink? Broken { get; init; }

    /// <summary>What lies where; null if that could not be found out.</summary>
    internal ReportMap? Map { get; init; }

    /// <summary>Why there is no map.</summary>
    internal string? NoMap { get; init; }

    internal IReadOnlyList<ReportSnapshot> Snapshots { get; init; } = [];

    /// <summary>How many snapshots there are, also where fewer are kept.</summary>
    internal int SnapshotCount { get; init; }

    /// <summary>The verdict of a check; null if none was made.</summary>
    internal ReportCheck? Check { get; init; }
}

/// <summary>An internal snapshot.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Time">When it was taken; null where no calendar has that.</param>
/// <param name="DiskSize">Bytes of its disk.</param>
/// <param name="StateSize">Bytes of the saved state of the virtual machine; 0 for none.</param>
/// <param name="Problem">What is wrong with it; null for nothing.</param>
internal sealed record ReportSnapshot(string Id, string Name, DateTimeOffset? Time, long DiskSize, long StateSize, string? Problem);

/// <summary>The verdict of a check, or why there is none.</summary>
/// <param name="Verdict">In a sentence.</param>
/// <param name="IsDamaged">Whether data is in danger, or something could not be checked.</param>
/// <param name="IsUnsound">Whether anything else was found that counts.</param>
/// <param name="Findings">The first of what was found.</param>
/// <param name="FindingCount">How much was found.</param>
internal sealed record ReportCheck(string Verdict, bool IsDamaged, bool IsUnsound, IReadOnlyList<ReportFinding> Findings, long FindingCount);

/// <summary>Something that a check found.</summary>
/// <param name="Severity">How bad it is, in a word.</param>
/// <param name="Kind">What it is, by the name that scripts know.</param>
/// <param name="Message">What it is, for people.</param>
internal sealed record ReportFinding(string Severity, string Kind, string Message);
