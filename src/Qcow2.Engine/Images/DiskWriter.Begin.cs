using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <content>What an image must know before its disk is written for the first time.</content>
internal sealed partial class DiskWriter
{
    private volatile bool _hasBegun;

    /// <summary>
    /// Clears autoclear features that nobody here keeps true, and marks enabled bitmaps as in use: what they record from now on
    /// is in memory only. All of it is on the disk before anything else changes. A second call does nothing.
    /// </summary>
    private void Begin()
    {
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
