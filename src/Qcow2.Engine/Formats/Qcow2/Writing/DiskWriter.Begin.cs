using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Writing;

/// <content>What an image must know before its disk is written for the first time.</content>
internal sealed partial class DiskWriter
{
    private volatile bool _hasBegun;

    /// <summary>
    /// Clears autoclear features that nobody here keeps true, and marks enabled bitmaps as in use: what they record from now on
    /// is in memory only. All of it is on the disk before anything else changes. A second call does nothing.
    /// </summary>
    /// <param name="isRemoval">Whether a snapshot is about to be removed, which is the way out where one hinders all writing.</param>
    private void Begin(bool isRemoval = false)
    {
        if (!isRemoval && _hindrance is SnapshotTableEntry hindrance)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.SnapshotDamaged,
                $"The snapshot '{PrintableText.Of(hindrance.Name)}' (id {PrintableText.Of(hindrance.Id)}) is damaged: its L1 table is said to lie at "
                + $"0x{hindrance.L1TableOffset:x}, past the end of the file or where something else lies, and what is written there would be taken for it. So nothing is written to the image "
                + "before the snapshot is removed (Remove-Qcow2Snapshot).").At(_disk.Path);
        }

        if (_hasBegun)
        {
            return;
        }

        lock (_gate)
        {
            if (_hasBegun)
            {
                return;
            }

            _committer.RequireSound();
            BeginBitmaps();
            _committer.KeepAutoclearFeatures(AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData);
            _committer.ReachEnd(); // What another program wrote may end inside a cluster.
            _resources.Image.Flush();
            _hasBegun = true;
        }
    }
}
