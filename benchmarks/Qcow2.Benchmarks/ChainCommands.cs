using Qcow2.Engine.Chains;

namespace Qcow2.Benchmarks;

/// <summary>What is done to overlays.</summary>
internal static class ChainCommands
{
    /// <summary>Merges an overlay into its backing file, or into another image of its chain, and empties it as qemu-img does.</summary>
    internal static void Merge(string image, string? destination = null)
        => ImageMerge.Merge(image, new ImageMergeOptions { DestinationPath = destination });

    /// <summary>Layers an image on another one of format qcow2, or on none.</summary>
    internal static void Rebase(string image, string backing)
        => ImageRebase.Rebase(image, new ImageRebaseOptions { BackingFile = backing, BackingFormat = backing.Length == 0 ? null : "qcow2" });
}
