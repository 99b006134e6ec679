using Qcow2.Engine.Disks.Checking;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

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

        ExamineExtensions(header, log);
        return header;
    }

    /// <summary>Whether the extensions lead to all that they should lead to, so that nothing is free that only they refer to.</summary>
    internal static bool FindsAll(Qcow2Header header)
    {
        try
        {
            header.EnsureExtensionsKnown();
            ImageEncryption.FindLuksHeader(header);
            return true;
        }
        catch (Qcow2Exception)
        {
            return false;
        }
    }

    private static void ExamineExtensions(Qcow2Header header, FindingLog log)
    {
        Qcow2CheckSeverity severity = FindsAll(header) ? Qcow2CheckSeverity.Warning : Qcow2CheckSeverity.Error;
        int number = 0;
        foreach (string problem in header.ExtensionProblems)
        {
            Add(log, severity, Qcow2CheckFindingKind.ExtensionDamaged, header.HeaderLength, problem, number++);
        }

        IEnumerable<HeaderExtension> known = header.Extensions.Where(extension => extension is not UnknownHeaderExtension and not OversizedHeaderExtension);
        foreach (IGrouping<HeaderExtensionType, HeaderExtension> kind in known.GroupBy(extension => extension.Type).Where(kind => kind.Count() > 1))
        {
            Add(log, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.ExtensionRepeated, header.HeaderLength,
                $"The header extension '{kind.Key}' is there {kind.Count()} times; the last of them counts, for QEMU, too.", number++);
        }

        if (header.Has(IncompatibleFeatures.ExternalDataFile) && string.IsNullOrEmpty(header.Extension<DataFileNameExtension>()?.FileName))
        {
            Add(log, Qcow2CheckSeverity.Warning, Qcow2CheckFindingKind.DataFileUnnamed, HeaderField.IncompatibleFeatures,
                "The image keeps its data in an external file but does not name it: whoever reads the image has to say which file that is (-DataFile).");
        }
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

    private static void Add(FindingLog log, Qcow2CheckSeverity severity, Qcow2CheckFindingKind kind, long offset, string message, int number = 0)
        => log.Add(CheckStage.Header.At(offset, ((long)number << 8) + (int)kind), severity, 1, () => new Qcow2CheckFinding
        {
            Kind = kind,
            Offset = offset,
            Cluster = 0,
            Table = "Header",
            Message = message,
        });
}
