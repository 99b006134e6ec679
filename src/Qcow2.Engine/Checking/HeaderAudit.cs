using Qcow2.Engine.Format;
using Qcow2.Engine.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Checking;

/// <summary>Reads a header for a check: what is wrong with it becomes a finding, and what can be done without is done without.</summary>
internal static class HeaderAudit
{
    /// <summary>Reads the header.</summary>
    /// <param name="image">The image.</param>
    /// <param name="log">Where findings go.</param>
    /// <param name="isTableUsable">Whether the fields of the refcount table are of use.</param>
    /// <returns>Null if nothing can be checked without it.</returns>
    /// <exception cref="Qcow2Exception">The file is no QCOW2 image.</exception>
    internal static Qcow2Header? Load(BlockStorage image, FindingLog log, out bool isTableUsable)
    {
        isTableUsable = true;
        Qcow2Header? header = TryLoad(image, out Qcow2Exception? failure);
        if (header is null && TryWithoutRefcountTable(image) is Qcow2Header rest)
        {
            isTableUsable = false;
            header = rest;
            Add(log, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.RefcountTableDamaged, HeaderField.RefcountTableOffset, failure!.Message);
        }

        if (header is null)
        {
            Add(log, Qcow2CheckSeverity.Error, KindOf(failure!), 0, failure!.Message);
            return null;
        }

        try
        {
            header.EnsureSupported();
        }
        catch (Qcow2Exception e)
        {
            Add(log, Qcow2CheckSeverity.Error, Qcow2CheckFindingKind.FeatureUnknown, HeaderField.IncompatibleFeatures, e.Message);
            return null;
        }

        if (header.Has(IncompatibleFeatures.Dirty))
        {
            Add(log, Qcow2CheckSeverity.Information, Qcow2CheckFindingKind.MarkedDirty, HeaderField.IncompatibleFeatures,
                "The image was not closed well (dirty bit): its refcounts may be outdated. They are repaired when it is opened for writing.");
        }

        if (header.Has(IncompatibleFeatures.Corrupt))
        {
            Add(log, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.MarkedCorrupt, HeaderField.IncompatibleFeatures,
                "The image was marked corrupt: it is not written before a repair has found it sound.");
        }

        return header;
    }

    private static Qcow2CheckFindingKind KindOf(Qcow2Exception failure)
        => failure.Code == Qcow2ErrorCode.UnsupportedFeature ? Qcow2CheckFindingKind.FeatureUnknown : Qcow2CheckFindingKind.HeaderDamaged;

    private static Qcow2Header? TryLoad(BlockStorage image, out Qcow2Exception? failure)
    {
        try
        {
            failure = null;
            return HeaderCluster.Load(image);
        }
        catch (Qcow2Exception e) when (e.Code != Qcow2ErrorCode.NotQcow2)
        {
            failure = e;
            return null;
        }
    }

    /// <summary>The refcount structure can be made anew, so a header that is sound but for where it lies is good enough.</summary>
    private static Qcow2Header? TryWithoutRefcountTable(BlockStorage image)
    {
        byte[] cluster = new byte[(int)Math.Min(image.Length, 1L << Qcow2Limits.MaxClusterBits)];
        image.ReadZeroPadded(0, cluster);
        if (cluster.Length < Qcow2Header.Version2Length)
        {
            return null;
        }

        cluster.AsSpan(HeaderField.RefcountTableOffset, sizeof(ulong)).Clear();
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(cluster.AsSpan(HeaderField.RefcountTableClusters), 1);
        try
        {
            return Qcow2Header.Parse(cluster);
        }
        catch (Qcow2Exception)
        {
            return null;
        }
    }

    private static void Add(FindingLog log, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long offset, string message)
        => log.Add(new FindingOrder(CheckStage.Header, offset, (int)kind), severity, 1, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = offset,
            Cluster = 0,
            Table = "Header",
            Message = message,
        });
}
