using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>Makes the COPIED flags of the active tables say what was counted.</summary>
internal sealed class CopiedFlags(ImageAudit audit, Action beforeWrite, CancellationToken cancellationToken)
{
    private readonly AuditContext _context = audit.Context!;
    private readonly TableRewriter _tables = new(audit, beforeWrite, cancellationToken);

    /// <summary>Clears the flags of clusters that have not exactly one reference. That is safe, but where no count can say so.</summary>
    internal bool Clear() => Run(false);

    /// <summary>Sets the flags of clusters that have exactly one reference. The counts must say so by now.</summary>
    internal bool Set() => Run(true);

    private bool Run(bool value)
    {
        Qcow2Header header = _context.Header;
        bool hasWritten = _tables.RewriteL1(header.L1TableOffset, (long)header.L1Size * L1Entry.Length, words => ChangeL1(words, value));
        return _tables.RewriteL2(true, words => ChangeL2(words, value)) || hasWritten;
    }

    private void ChangeL1(Span<ulong> words, bool value)
    {
        for (int i = 0; i < words.Length; i++)
        {
            if (new L1Entry(words[i]).IsUsed)
            {
                words[i] = Change(words[i], value, false);
            }
        }
    }

    private void ChangeL2(Span<ulong> words, bool value)
    {
        int step = _context.Geometry.IsExtendedL2 ? 2 : 1;
        for (int i = 0; i < words.Length; i += step)
        {
            var entry = new L2Entry(words[i]);
            if (!entry.IsCompressed && entry.Offset != 0)
            {
                words[i] = Change(words[i], value, _context.HasDataFile);
            }
        }
    }

    /// <summary>
    /// Whether a cluster is shared and its count cannot say more than one. A clear flag beside that count would let a writer free
    /// what another entry still needs, so the flag stays as it is.
    /// </summary>
    private bool IsBeyondWidth(long cluster)
        => _context.Header.RefcountOrder.MaxValue == 1 && cluster < _context.References.Clusters && _context.References[cluster] > 1;

    private ulong Change(ulong entry, bool value, bool isElsewhere)
    {
        const ulong Flag = L2Entry.CopiedFlag;
        if (((entry & Flag) != 0) == value)
        {
            return entry;
        }

        long cluster = (long)(entry & L2Entry.OffsetMask) >> _context.Geometry.ClusterBits;
        if (!isElsewhere && IsBeyondWidth(cluster))
        {
            return entry;
        }

        bool isOne = isElsewhere || (cluster < _context.References.Clusters && _context.References[cluster] == 1);
        return isOne == value ? entry ^ Flag : entry;
    }
}
