using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Disks.Checking;

/// <summary>The check of one file as its parts see it: the file, how to check it, what was found and counted. For one thread, which looks in a fixed order.</summary>
internal sealed class FileCheck
{
    /// <summary>Tables up to this size are never too large.</summary>
    private const long SmallTables = 1L << 20;

    private readonly FindingLog _log;
    private long _next;

    internal FileCheck(BlockStorage file, Qcow2CheckOptions options, IProgress<Qcow2CheckProgress>? progress, CancellationToken cancellationToken)
    {
        File = file;
        Options = file.HasLocalPath ? options : options with { References = ReferencePolicy.Forbid };
        CancellationToken = cancellationToken;
        _log = new FindingLog(options.MaxFindings);
        Progress = progress;
    }

    internal BlockStorage File { get; }

    internal Qcow2CheckOptions Options { get; }

    internal IProgress<Qcow2CheckProgress>? Progress { get; }

    internal CancellationToken CancellationToken { get; }

    /// <summary>How bad it is that an image needs another file, or invites to be taken for something else.</summary>
    internal Qcow2CheckSeverity Distrust => Options.Untrusted ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Information;

    /// <summary>Whether nothing was found that keeps the disk from being read.</summary>
    internal bool IsSound => _log.Corruptions + _log.Errors == 0;

    internal long AllocatedBlocks { get; set; }

    internal long CompressedBlocks { get; set; }

    internal long FragmentedBlocks { get; set; }

    internal long TotalBlocks { get; set; }

    internal long LeakedBytes { get; set; }

    internal long EndOffset { get; set; }

    internal bool IsDirty { get; set; }

    /// <summary>Notes a finding.</summary>
    /// <param name="severity">How bad it is.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="offset">Where in the file what is wrong lies.</param>
    /// <param name="table">The structure that it was found in.</param>
    /// <param name="message">A sentence for people.</param>
    /// <param name="expected">What should be there.</param>
    /// <param name="found">What is there.</param>
    internal void Add(Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long offset, string table, string message, ulong? expected = null, ulong? found = null)
        => Add(severity, kind, offset, table, () => message, expected, found);

    /// <summary>Notes one of many findings, whose sentence is made only if it is kept.</summary>
    /// <inheritdoc cref="Add(Qcow2CheckSeverity, Qcow2CheckFindingKind, long, string, string, ulong?, ulong?)"/>
    internal void Add(
        Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long offset, string table, Func<string> message, ulong? expected = null, ulong? found = null, long weight = 1)
        => _log.Add(new FindingOrder(0, _next++), severity, weight, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = offset,
            Table = table,
            Expected = expected,
            Found = found,
            Message = message(),
        });

    /// <summary>Notes what keeps the rest of a file from being checked.</summary>
    internal void AddError(Qcow2Exception error, long offset, string table)
        => Add(
            Qcow2CheckSeverity.Error, error.Code == Qcow2ErrorCode.UnsupportedFeature ? Qcow2CheckFindingKind.FeatureUnknown : Qcow2CheckFindingKind.HeaderDamaged, offset, table, error.Message);

    /// <summary>Reads a header, without which nothing else of the file can be checked.</summary>
    /// <param name="load">Reads it, or says what is wrong with it.</param>
    /// <param name="table">What it is called.</param>
    /// <returns>Null where it cannot be used, which is noted.</returns>
    /// <exception cref="Qcow2Exception">The file is none of the format.</exception>
    internal T? TryLoad<T>(Func<BlockStorage, T> load, string table)
        where T : class
    {
        try
        {
            return load(File);
        }
        catch (Qcow2Exception e) when (e.Code != Qcow2ErrorCode.FormatMismatch)
        {
            AddError(e, 0, table);
            return null;
        }
    }

    /// <summary>Notes space that nothing refers to.</summary>
    /// <param name="severity">A leak where nobody will use it again.</param>
    /// <param name="offset">Where it starts.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="block">Bytes that a block takes.</param>
    internal void AddUnused(Qcow2CheckSeverity severity, long offset, long length, long block)
    {
        LeakedBytes += severity == Qcow2CheckSeverity.Leak ? length : 0;
        Add(severity, Qcow2CheckFindingKind.SpaceUnused, offset, "File", () => $"Nothing refers to the {length} bytes at 0x{offset:x} of the file.", weight: length / block);
    }

    /// <summary>Notes tables that take most of the file, of an image that is not trusted.</summary>
    internal void JudgeTables(long offset, string table, long length, long fileLength)
    {
        if (Options.Untrusted && length > SmallTables && length > fileLength / 2)
        {
            Add(
                Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.TablesOversized, offset, table,
                $"The tables are said to take {length} bytes, of a file of {fileLength}: work and memory for nothing.");
        }
    }

    /// <summary>Notes that the image cannot be read without another file.</summary>
    internal void AddReference(long offset, string table, string message) => Add(Distrust, Qcow2CheckFindingKind.ReferenceToOtherFile, offset, table, message);

    internal void Report(long done, long total) => Progress?.Report(new Qcow2CheckProgress(done, total));

    internal Qcow2CheckResult ToResult() => new()
    {
        Path = File.Path,
        IsHealthy = _log.Corruptions + _log.Leaks + _log.Errors + _log.Warnings == 0,
        Corruptions = _log.Corruptions,
        Leaks = _log.Leaks,
        LeakedBytes = LeakedBytes,
        CheckErrors = _log.Errors,
        AllocatedClusters = AllocatedBlocks,
        CompressedClusters = CompressedBlocks,
        FragmentedClusters = FragmentedBlocks,
        TotalClusters = TotalBlocks,
        ImageEndOffset = EndOffset,
        IsDirty = IsDirty,
        FindingCount = _log.Total,
        Findings = _log.ToArray(),
    };
}
