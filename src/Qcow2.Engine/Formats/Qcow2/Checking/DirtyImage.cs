using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Checking;

/// <summary>
/// Makes an image fit to be written whose last writer did not close it: such a writer may have postponed its refcounts
/// (spec: "Header", incompatible feature bit 0).
/// </summary>
internal static class DirtyImage
{
    /// <summary>Repairs the refcounts of an image that is marked dirty, and clears the mark. Others are left as they are.</summary>
    /// <param name="image">The image, which nobody else may write.</param>
    /// <param name="header">Its header.</param>
    /// <param name="cancellationToken">Stops the repair; another one can follow.</param>
    /// <returns>The header as it is now.</returns>
    /// <exception cref="Qcow2Exception">The image is marked corrupt, or has damage that correct refcounts do not cure.</exception>
    internal static Qcow2Header MakeWritable(BlockStorage image, Qcow2Header header, CancellationToken cancellationToken)
    {
        if (header.Has(IncompatibleFeatures.Corrupt))
        {
            throw Qcow2Errors.Corrupt("The image is marked corrupt: it can be read, but must be repaired before it is written.");
        }

        if (!header.Has(IncompatibleFeatures.Dirty))
        {
            return header;
        }

        Qcow2CheckResult result = new ImageRepair(image, RepairScope.Refcounts, Qcow2CheckOptions.Default, null, cancellationToken).Run();
        if (result.IsDirty)
        {
            string? first = result.Findings.FirstOrDefault(finding => finding.Severity >= Qcow2CheckSeverity.Corruption)?.Message;
            throw Qcow2Errors.Corrupt(
                $"The image was not closed well (dirty bit), and repairing its refcounts left {result.Corruptions + result.CheckErrors} "
                + $"{(result.Corruptions + result.CheckErrors == 1 ? "error" : "errors")}. It can be read, but must be repaired before it is written. "
                + $"The first: {first}");
        }

        return HeaderCluster.Load(image);
    }
}
