using Qcow2.Engine;

namespace Qcow2.PowerShell.Operations;

/// <summary>What the manifest of an OVA says of a disk, as a finding of a check.</summary>
internal static class ManifestFinding
{
    /// <summary>Adds it to what was found in the disk itself, before all of that: what is wrong there may come of it.</summary>
    /// <param name="result">What was found.</param>
    /// <param name="manifest">How the disk stands to the manifest.</param>
    internal static Qcow2CheckResult AddTo(Qcow2CheckResult result, DiskManifest manifest)
    {
        bool differs = manifest.State == ManifestState.Differs;
        var finding = new Qcow2CheckFinding
        {
            Kind = manifest.State switch
            {
                ManifestState.Matches => Qcow2CheckFindingKind.ManifestMatches,
                ManifestState.Differs => Qcow2CheckFindingKind.ManifestMismatch,
                _ => Qcow2CheckFindingKind.ManifestNotCompared,
            },
            Severity = differs ? Qcow2CheckSeverity.Corruption : Qcow2CheckSeverity.Information,
            Table = "Manifest",
            Message = manifest.Message,
        };
        Qcow2CheckResult all = result.Copy();
        all.Findings = [finding, .. result.Findings];
        all.FindingCount++;
        all.Corruptions += differs ? 1 : 0;
        all.IsHealthy &= !differs;
        return all;
    }
}
