namespace Qcow2.Shell.Sessions;

/// <summary>Finds the manifest of the Qcow2 module.</summary>
internal static class ModuleLocator
{
    private const string Manifest = "Qcow2.psd1";

    /// <summary>The folder of modules beside the shell; on PSModulePath, so that new runspaces find the module too.</summary>
    internal static string ModulesFolder { get; } = Path.Combine(AppContext.BaseDirectory, "Modules");

    /// <summary>The manifest to load.</summary>
    /// <param name="given">The value of <c>-ModulePath</c>: a manifest, the module's folder or the folder above it; null: beside the shell.</param>
    /// <exception cref="FileNotFoundException">It is not there; the message names the places.</exception>
    internal static string Find(string? given)
    {
        string[] candidates = given is null
            ? [Path.Combine(ModulesFolder, "Qcow2", Manifest)]
            : Candidates(Path.GetFullPath(given));
        return candidates.FirstOrDefault(File.Exists) ?? throw new FileNotFoundException(
            $"The Qcow2 module is not at {string.Join(" or ", candidates)}. "
            + (given is null ? "Build the solution, or give -ModulePath." : "Give -ModulePath the folder that holds Qcow2.psd1."));
    }

    private static string[] Candidates(string path) =>
        Path.GetExtension(path).ToUpperInvariant() is ".PSD1" or ".PSM1" or ".DLL"
            ? [path]
            : [Path.Combine(path, Manifest), Path.Combine(path, "Qcow2", Manifest)];
}
