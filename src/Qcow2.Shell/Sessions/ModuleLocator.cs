namespace Qcow2.Shell.Sessions;

/// <summary>Finds the manifest of the Qcow2 module.</summary>
internal static class ModuleLocator
{
    private const string Manifest = "Qcow2.psd1";

    /// <summary>The manifest to load.</summary>
    /// <param name="given">The value of <c>-ModulePath</c>: a manifest, the module's folder or the folder above it; null: beside the shell.</param>
    /// <exception cref="FileNotFoundException">It is not there; the message names the places.</exception>
    internal static string Find(string? given)
    {
        string[] candidates = given is null
            ? [Path.Combine(AppContext.BaseDirectory, "Modules", "Qcow2", Manifest)]
            : Candidates(Path.GetFullPath(given));
        return candidates.FirstOrDefault(File.Exists) ?? throw new FileNotFoundException(
            $"The Qcow2 module is not at {string.Join(" or ", candidates)}. "
            + (given is null ? "Build the solution, or give -ModulePath." : "Give -ModulePath the folder that holds Qcow2.psd1."));
    }

    /// <summary>Puts the folder above the module on PSModulePath, so that the runspaces of ForEach-Object -Parallel find it too.</summary>
    internal static void AddToModulePath(string manifest)
    {
        const string Variable = "PSModulePath";
        string folder = Path.GetDirectoryName(Path.GetDirectoryName(manifest)) ?? "";
        string? others = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, string.IsNullOrEmpty(others) ? folder : folder + Path.PathSeparator + others);
    }

    private static string[] Candidates(string path) =>
        Path.GetExtension(path).ToUpperInvariant() is ".PSD1" or ".PSM1" or ".DLL"
            ? [path]
            : [Path.Combine(path, Manifest), Path.Combine(path, "Qcow2", Manifest)];
}
